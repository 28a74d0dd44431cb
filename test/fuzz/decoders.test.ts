// A bounded number of hostile inputs for every decoder; FUZZ_INPUTS and FUZZ_SEED ask for more and for others. The long
// run is `npm run fuzz`.

import { describe, expect, it } from 'vitest';
import { decoderTargets, runDecoder } from './decoder-run.js';
import { fuzzInputs, fuzzSeed } from './fuzz-environment.js';

const inputsDefault = 1_500;

describe('hostile bytes', () => {
  it.each(decoderTargets.map((target) => [target.name, target] as const))('%s is read or refused', (_, target) => {
    const run = runDecoder(target, { seed: fuzzSeed(), inputs: fuzzInputs(inputsDefault) });
    // A fuzzer that reaches one side only has lost its way.
    expect(run.refused + run.accepted).toBe(run.inputs);
    expect(run.accepted).toBeGreaterThan(0);
  });
});
