// Durations as programs in Go read them: "1h30m", "1.5h", "300ms".

const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};

/** Milliseconds; undefined: it is none. */
export function parseGoDuration(text: string): number | undefined {
  const [, sign = '', parts = ''] = /^([-+]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text) ?? [];
  if (parts === '') return undefined;
  let milliseconds = 0;
  for (const [, number = '', unit = ''] of parts.matchAll(/([\d.]+)([a-zµμ]+)/g)) {
    milliseconds += Number(number) * (unitMs[unit] ?? 0);
  }
  return sign === '-' ? -milliseconds : milliseconds;
}
