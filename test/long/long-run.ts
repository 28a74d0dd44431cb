// How long the open-ended tests of `npm run test:long` go on, and where their seeds begin.

/** LONG_MINUTES: of each open-ended test. */
export const longMinutes = numberOf('LONG_MINUTES', 10);
/** LONG_SEED: the first seed. Another one every night explores; the same one repeats a night. */
export const longFirstSeed = numberOf('LONG_SEED', 1_000_000);

function numberOf(name: string, otherwise: number): number {
  const given = process.env[name];
  const value = given === undefined ? otherwise : Number(given);
  if (!(Number.isFinite(value) && value >= 0)) throw new Error(`${name} is a number from 0, not ${String(given)}`);
  return value;
}
