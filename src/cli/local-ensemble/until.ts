// Waits for a condition with a deadline; the error says what was waited for and what was seen last.

export interface UntilOptions {
  readonly timeoutMs: number;
  /** Pause between two looks. */
  readonly everyMs?: number;
}

/** Looks again and again until `look` gives something other than undefined. What it throws counts as not yet. */
export async function until<T>(
  what: string,
  options: UntilOptions,
  look: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined) return seen;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${options.timeoutMs} ms in vain: ${what}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 20));
  }
}
