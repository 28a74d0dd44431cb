import { describe, expect, it } from 'vitest';
import { describeFailure, runSweep } from './seed-sweep.js';
import { shrinkFailure } from './shrink.js';
import type { StorageMutation } from './simulated-node.js';
import { runSimulation } from './simulation.js';

/** Passes everything on but these. */
function wrap<T extends object>(inner: T, replaced: Partial<T>): T {
  return new Proxy(inner, {
    get: (target, name) => {
      if (name in replaced) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A log that keeps what it was told to remove: only a change of leaders at the wrong moment shows it. */
const stickyLog: StorageMutation = (storage, scheduler) =>
  wrap(storage, {
    get log() {
      return wrap(storage.log, { truncate: (_to, done) => scheduler.defer(done) });
    },
  });

/** A log that never tells that anything is durable: nobody makes progress, and no fault has a part in it. */
const deafLog: StorageMutation = (storage) =>
  wrap(storage, { start: (handler) => storage.start({ ...handler, durable: () => {} }) });

const kinds = ['isolateLeader', 'crashLeader', 'freezeLeader', 'pause', 'slowDisk', 'cutLink'] as const;
const run = { seed: 1, nodes: 3, durationMs: 4_000, faults: { kinds } };

describe('shrinkFailure()', () => {
  it('leaves a run that breaks the same invariant with fewer faults, and can be repeated', {
    timeout: 60_000,
  }, async () => {
    let found: Awaited<ReturnType<typeof failing>>;
    for (let seed = 1; found === undefined && seed < 100; seed++) found = await failing({ ...run, seed });
    if (found === undefined) throw new Error('no seed fails');
    const { options, failed } = found;
    const shrunk = await shrinkFailure(options, failed, { runsMax: 60 });
    expect(shrunk.violation.invariant).toBe(failed.violations[0]?.invariant);
    expect(shrunk.runs).toBeLessThanOrEqual(60);
    expect(shrunk.events.length).toBeGreaterThan(0);
    expect(shrunk.events.length).toBeLessThan(shrunk.eventsBefore / 2);
    const only = /--only-faults (\S+)/.exec(shrunk.command)?.[1] ?? '';
    const seconds = Number(/--seconds (\S+)/.exec(shrunk.command)?.[1]);
    const number = (name: string): number | undefined => {
      const found = new RegExp(`--${name} (\\d+)`).exec(shrunk.command)?.[1];
      return found === undefined ? undefined : Number(found);
    };
    const again = await runSimulation({
      ...options,
      durationMs: seconds * 1000,
      faults: { kinds, only: only === 'none' ? [] : only.split(',').map(Number) },
      clientsMax: number('clients') ?? 9,
      watchersMax: number('watchers') ?? 9,
    });
    expect(again.hash).toBe(shrunk.hash);
    expect(again.violations[0]).toEqual(shrunk.violation);
    expect(shrunk.trace.length).toBeGreaterThan(10);
  });

  it('is part of a sweep, which tells what is left', async () => {
    const { failed, runs } = await runSweep({
      firstSeed: 1,
      runs: 3,
      nodesOf: () => 3,
      durationMs: 2_000,
    });
    expect([runs, failed]).toEqual([3, []]);
    const broken = await runSweep({ firstSeed: 1, runs: 2, nodesOf: () => 3, durationMs: 2_000, mutation: deafLog });
    expect(broken.failed.length).toBeGreaterThan(0);
    const [first] = broken.failed;
    expect(first === undefined ? '' : describeFailure(first)).toMatch(
      /again: zabtree simulate --seed \d[\s\S]*made small in[\s\S]*again: zabtree simulate --seed \d+ --nodes 3 --seconds [\d.]+ --only-faults /,
    );
  });
});

async function failing(given: typeof run): Promise<
  | {
      readonly options: typeof run & { readonly mutation: StorageMutation };
      readonly failed: Awaited<ReturnType<typeof runSimulation>>;
    }
  | undefined
> {
  const options = { ...given, mutation: stickyLog };
  const failed = await runSimulation(options);
  return failed.violations.length > 0 && failed.schedule.length > 4 ? { options, failed } : undefined;
}
