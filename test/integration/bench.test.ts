// `zabtree bench` against real servers: its numbers agree with each other and with what it was asked for.

import { expect, test } from 'vitest';
import { runZabtree } from '../harness/run-zabtree.js';
import { type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

interface BenchOutput {
  readonly result: {
    readonly seconds: number;
    readonly operations: number;
    readonly perSecond: number;
    readonly reads: { readonly count: number; readonly p50Ms: number; readonly maxMs: number };
    readonly writes: { readonly count: number; readonly p50Ms: number; readonly maxMs: number };
    readonly errors: Readonly<Record<string, number>>;
  };
}

async function bench(test: TestEnsemble, args: readonly string[]): Promise<BenchOutput['result']> {
  const times = ['--warmup', '0.1', '--duration', '1', '-o', 'json'];
  const run = await runZabtree(['bench', '--config', test.ensemble.clientFile, ...times, ...args]);
  expect(run.code, run.stderr).toBe(0);
  expect(run.stdout.trimEnd()).not.toContain('\n');
  return (JSON.parse(run.stdout) as BenchOutput).result;
}

test('bench measures a closed loop, an open loop, mixes, and writes that happen exactly once', async () => {
  await withEnsemble({}, async (test) => {
    await test.start();
    const closed = await bench(test, ['--in-flight', '50', '--preload', '500', '--random', '--read-ratio', '0.5']);
    expect(closed.errors).toEqual({});
    expect(closed.reads.count).toBeGreaterThan(0);
    expect(closed.writes.count).toBeGreaterThan(0);
    expect(closed.reads.count + closed.writes.count).toBe(closed.operations);
    expect(closed.perSecond).toBeCloseTo(closed.operations / closed.seconds, 3);
    expect(closed.writes.p50Ms).toBeLessThanOrEqual(closed.writes.maxMs);

    const open = await bench(test, ['--in-flight', '200', '--rate', '200']);
    expect(open.errors).toEqual({});
    expect(open.operations).toBeGreaterThan(100);
    expect(open.operations).toBeLessThanOrEqual(230);

    const once = await bench(test, ['--in-flight', '20', '--exactly-once', '--prefix', 'once/']);
    expect(once.errors).toEqual({});
    expect(once.writes.count).toBeGreaterThan(0);

    const filled = await test.view.records(0, 'bench/');
    expect(filled.size).toBeGreaterThanOrEqual(500);
    await test.view.caughtUp(20_000);
    await test.view.commonDigest(20_000);
  });
});

test('bench ends with 5 when nobody answers and with 2 when it is asked for nonsense', async () => {
  await withEnsemble({ nodes: 1 }, async (test) => {
    const peer = test.ensemble.requestAddresses[0] ?? '';
    const bench = (...flags: string[]): ReturnType<typeof runZabtree> =>
      runZabtree(['bench', '--peer', peer, ...flags]);
    const [unreachable, nonsense, unbounded] = await Promise.all([
      bench('--duration', '0.1', '--timeout', '500ms'),
      bench('--in-flight', 'many'),
      bench('--random'),
    ]);
    expect(unreachable.code).toBe(5);
    expect(unreachable.stderr).toMatch(/Cannot reach any peer/);
    expect(nonsense.code).toBe(2);
    expect(unbounded.code).toBe(2);
  });
});
