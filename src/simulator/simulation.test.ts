import { describe, expect, it } from 'vitest';
import { faultKinds } from './run-plan.js';
import { runSimulation } from './simulation.js';

describe('runSimulation()', () => {
  it('is decided by its seed: the same hash again, with and without a trace, and another one for another seed', async () => {
    for (const nodes of [3, 5]) {
      const options = { seed: 11, nodes, durationMs: 2_000 };
      const first = await runSimulation(options);
      expect((await runSimulation(options)).hash).toBe(first.hash);
      const verbose = await runSimulation({ ...options, verbose: true });
      expect(verbose.hash).toBe(first.hash);
      expect(verbose.trace.length).toBeGreaterThan(100);
      expect((await runSimulation({ ...options, seed: 12 })).hash).not.toBe(first.hash);
    }
  });

  it('answers everything when nothing fails', async () => {
    const result = await runSimulation({ seed: 3, nodes: 3, durationMs: 3_000, faults: { kinds: [], lossChance: 0 } });
    expect(result.violations).toEqual([]);
    expect(result.epochs).toBeLessThanOrEqual(2);
    expect(result.answered).toBeGreaterThan(50);
    expect(result.faults.size).toBe(0);
  });

  it('strikes with every kind of fault within a few seeds', { timeout: 60_000 }, async () => {
    const struck = new Set<string>();
    for (let seed = 501; seed < 601 && struck.size < faultKinds.length; seed++) {
      const { faults, violations } = await runSimulation({ seed, nodes: 3, durationMs: 4_000 });
      expect(violations, `seed ${seed}`).toEqual([]);
      for (const kind of faults.keys()) struck.add(kind);
    }
    expect([...struck].sort()).toEqual([...faultKinds].sort());
  });

  it('strikes only with the kinds that are asked for', async () => {
    const result = await runSimulation({ seed: 5, nodes: 5, durationMs: 3_000, faults: { kinds: ['crash'] } });
    expect([...result.faults.keys()].filter((kind) => kind !== 'crash')).toEqual([]);
  });
});
