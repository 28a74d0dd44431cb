import { describe, expect, it } from 'vitest';
import { type SeedRunner, thisThread } from './seed-runner.js';
import { runSweep } from './seed-sweep.js';

const options = { firstSeed: 20, runs: 6, nodesOf: () => 3, durationMs: 500 };

describe('runSweep()', () => {
  it('adds up in the order of the seeds, whichever runner is first', async () => {
    let blocked: (() => void) | undefined;
    const slow: SeedRunner = {
      ...thisThread,
      run: async (run) => {
        // Its first seed ends when the other runner has run all others.
        if (blocked === undefined)
          await new Promise<void>((resolve) => {
            blocked = resolve;
          });
        return thisThread.run(run);
      },
    };
    let left = options.runs - 1;
    const fast: SeedRunner = {
      ...thisThread,
      run: async (run) => {
        const result = await thisThread.run(run);
        if (--left === 0) blocked?.();
        return result;
      },
    };
    const seeds: number[] = [];
    const mixed = await runSweep(options, { runners: [slow, fast], afterEach: ({ seed }) => seeds.push(seed) });
    expect(seeds).toEqual([20, 21, 22, 23, 24, 25]);
    expect(mixed).toEqual(await runSweep(options));
  });

  it('has the hash of a single run, and one over all of several', async () => {
    const [first, second] = [await runSweep({ ...options, runs: 1 }), await runSweep({ ...options, runs: 2 })];
    let hash = '';
    await runSweep(
      { ...options, runs: 1 },
      {
        afterEach: (result) => {
          hash = result.hash;
        },
      },
    );
    expect(first.hash).toBe(hash);
    expect(second.hash).not.toBe(first.hash);
  });

  it('ends when it is told to, and sums up what was run', async () => {
    const interruption = new AbortController();
    const summary = await runSweep(options, {
      signal: interruption.signal,
      afterEach: ({ seed }) => {
        if (seed === 21) interruption.abort();
      },
    });
    expect(summary.runs).toBe(2);
    expect(summary.virtualMs).toBeGreaterThan(1_000);
  });
});
