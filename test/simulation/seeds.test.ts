// Two hundred short seeds of the simulated ensemble, odd ones with three members and even ones with five. A failing seed
// is the whole reproduction: its message says how to run it again.

import { describe, expect, it } from 'vitest';
import { describeFailure, runSweep } from '../../src/simulator/seed-sweep.js';

const seeds = 200;
const perTest = 50;
const durationMs = 4_000;

describe('simulated ensembles keep their promises', () => {
  for (let firstSeed = 1; firstSeed <= seeds; firstSeed += perTest) {
    it(`seeds ${firstSeed} to ${firstSeed + perTest - 1}`, { timeout: 180_000 }, async () => {
      const { failed, answered, entries } = await runSweep({
        firstSeed,
        runs: perTest,
        nodesOf: (seed) => (seed % 2 === 1 ? 3 : 5),
        durationMs,
      });
      expect(failed.map((failure) => describeFailure(failure)).join('\n')).toBe('');
      // A simulator that did nothing would find nothing.
      expect(answered).toBeGreaterThan(perTest * 50);
      expect(entries).toBeGreaterThan(perTest * 20);
    });
  }
});
