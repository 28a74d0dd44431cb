// How many hostile inputs a test throws and from which seed, as the environment asks: few and always the same unless told.

export function fuzzInputs(byDefault: number): number {
  return wholeNumber('FUZZ_INPUTS', byDefault);
}

export function fuzzSeed(): number {
  return wholeNumber('FUZZ_SEED', 1);
}

function wholeNumber(name: string, byDefault: number): number {
  const given = process.env[name];
  if (given === undefined || given === '') return byDefault;
  const number = Number(given);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new Error(`Cannot use ${name}: it is ${JSON.stringify(given)}, expected a whole number`);
}
