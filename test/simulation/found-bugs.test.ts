// Seeds that once found a bug. A change of the simulator's draws gives them another course; the scenarios of the core
// tell the same stories independently of it.

import { describe, expect, it } from 'vitest';
import { describeResult } from '../../src/simulator/seed-sweep.js';
import { runSimulation } from '../../src/simulator/simulation.js';

const durationMs = 4_000;

const found = [
  { seed: 878, nodes: 3, story: 'voters let go of a candidate that lost its disk' },
  { seed: 2030, nodes: 3, story: 'a late copy of a request that was refused elsewhere is not executed' },
  { seed: 7908, nodes: 5, story: 'a blank member does not keep voters from electing' },
  { seed: 11873, nodes: 3, story: 'a leader that waits to form an ensemble hears of the one that exists' },
];

describe('seeds that found a bug', () => {
  for (const { seed, nodes, story } of found) {
    it(`${seed}: ${story}`, async () => {
      const options = { seed, nodes, durationMs };
      const result = await runSimulation(options);
      expect(result.violations.length === 0 ? '' : describeResult(result, options)).toBe('');
    });
  }
});
