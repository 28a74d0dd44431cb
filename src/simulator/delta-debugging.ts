// Delta debugging: which of these elements does a failure need? Zeller's ddmin, with a test that may also say "no more".

/** Elements that still fail together, so that, unless the test gave up, every one of them is needed. */
export async function smallestFailing<T>(
  elements: readonly T[],
  fails: (some: readonly T[]) => Promise<boolean>,
): Promise<readonly T[]> {
  if (elements.length === 0 || (await fails([]))) return [];
  let current = elements;
  let parts = 2;
  while (current.length > 1) {
    const smaller = await failingPart(current, Math.min(parts, current.length), fails);
    if (smaller !== undefined) {
      current = smaller.elements;
      parts = Math.max(2, smaller.parts);
    } else if (parts >= current.length) break;
    else parts *= 2;
  }
  return current;
}

/** One part alone, or all but one part, and into how many parts it is to be divided next. */
async function failingPart<T>(
  elements: readonly T[],
  parts: number,
  fails: (some: readonly T[]) => Promise<boolean>,
): Promise<{ readonly elements: readonly T[]; readonly parts: number } | undefined> {
  const bounds = Array.from({ length: parts + 1 }, (_, i) => Math.floor((i * elements.length) / parts));
  for (let i = 0; i < parts; i++) {
    const part = elements.slice(bounds[i], bounds[i + 1]);
    if (await fails(part)) return { elements: part, parts: 2 };
  }
  // Of two parts each is all but the other.
  for (let i = 0; i < parts && parts > 2; i++) {
    const rest = [...elements.slice(0, bounds[i]), ...elements.slice(bounds[i + 1])];
    if (await fails(rest)) return { elements: rest, parts: parts - 1 };
  }
  return undefined;
}
