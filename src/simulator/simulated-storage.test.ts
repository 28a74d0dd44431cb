// Production storage over a simulated disk: what a crash, a failing or a full disk leaves of it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchOf, describeBatches, zxid } from '../../test/support/log-harness.js';
import {
  type EnsembleId,
  type Revision,
  revisionFirst,
  toEpoch,
  toServerId,
  type Zxid,
  zxidZero,
} from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import {
  claimDirectory,
  type FileNodeStorage,
  type NodeStorageOptions,
  openNodeStorage,
} from '../storage/node-storage.js';
import { seedDirectory } from '../storage/seeded-directory.js';
import type { Batch } from '../zab/messages.js';
import { rotFile, rotLog } from './bit-rot.js';
import { SimulatedDisk } from './simulated-disk.js';
import { simulatedRuntime } from './simulated-storage-runtime.js';
import { NodeScheduler, VirtualClock } from './virtual-clock.js';

const serverId = toServerId(5);
const directory = '/a/b/data';

/** A disk, and one process after another on it, in virtual time. */
class Machine {
  readonly clock = new VirtualClock();
  readonly disk: SimulatedDisk;
  readonly durable: Zxid[] = [];
  readonly pressure: boolean[] = [];
  readonly failures: Error[] = [];
  /** Called at every step of the disk. */
  onStep: () => void = () => {};
  private readonly random: SeededRandom;
  private readonly trees: MemoryTreeDisk;
  private scheduler: NodeScheduler;
  private opened: FileNodeStorage | Error | undefined;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    const { random, clock } = this;
    this.scheduler = this.newScheduler();
    this.disk = new SimulatedDisk({
      random,
      delayMs: () => 0.1 + random.next(),
      cachedMs: () => 0.01 * random.next(),
      step: () => this.onStep(),
    });
    const noted = (task: () => void) => (): void => {
      clock.promisesDue();
      task();
    };
    this.trees = new MemoryTreeDisk({
      scheduler: {
        defer: (task) => void clock.after(0, noted(task)),
        after: (delayMs, task) => clock.after(delayMs, noted(task)),
      },
    });
  }

  get storage(): FileNodeStorage {
    const { opened } = this;
    if (opened === undefined || opened instanceof Error) throw opened ?? new Error('storage is not open');
    return opened;
  }

  /** Opens the directory; throws what the opening threw. */
  async boot(): Promise<FileNodeStorage> {
    this.begin();
    await this.run(1000);
    const { storage } = this;
    storage.start({
      durable: (through) => this.durable.push(through),
      pressure: (full) => this.pressure.push(full),
      failed: (error) => this.failures.push(error),
    });
    return storage;
  }

  /** Starts a process, which goes as far as the time that it is given. */
  begin(): void {
    this.scheduler = this.newScheduler();
    this.opened = undefined;
    openNodeStorage(this.options()).then(
      (storage) => {
        this.opened = storage;
      },
      (error: Error) => {
        this.opened = error;
      },
    );
  }

  /** Fills the directory with an empty tree at `seed`, as restoring a snapshot does. */
  async seed(seed: Zxid): Promise<void> {
    this.scheduler = this.newScheduler();
    const options = this.options();
    const meta = { appliedZxid: seed, revision: revisionFirst, compactedRevision: 0 as Revision };
    const restoring = async (): Promise<void> => {
      await claimDirectory(directory, options.runtime);
      await seedDirectory(options, seed, async (store) => {
        const whole = { ...meta, sessionsEvictedThrough: zxidZero };
        const batch = { meta: whole, versions: [], sessions: [], sessionsEvicted: [], byteLength: 0 };
        await new Promise((resolve) => store.flush(batch, resolve));
      });
    };
    const restored = restoring();
    await this.run(1000);
    await restored;
  }

  private options(): NodeStorageOptions {
    return {
      runtime: simulatedRuntime({
        disk: this.disk,
        scheduler: this.scheduler,
        random: this.random,
        promisesDue: () => this.clock.promisesDue(),
      }),
      directory,
      serverId,
      treeStores: this.trees,
      segmentBytes: 1024,
      fullDiskRetryMs: 5,
      warn: () => {},
    };
  }

  crash(kind: 'process' | 'machine'): void {
    this.scheduler.kill();
    this.disk.crash(kind);
    this.trees.crash();
    this.trees.keep((tree) => this.disk.find(tree) !== undefined);
  }

  async run(ms = 100): Promise<void> {
    // Whatever the test has just called may wait for a promise.
    await new Promise((resolve) => setImmediate(resolve));
    await this.clock.runPromisesUntil(this.clock.nowMs() + ms);
  }

  async append(...batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) this.storage.log.append(batch);
    await this.run();
  }

  async readAll(): Promise<Batch[]> {
    const { log } = this.storage;
    const all: Batch[] = [];
    for (let from = log.base; from < log.last; ) {
      let found: readonly Batch[] = [];
      log.read(from, 500, (error, batches) => {
        expect(error).toBeNull();
        found = batches;
      });
      await this.run();
      const last = found.at(-1);
      if (last === undefined) throw new Error('nothing was read');
      all.push(...found);
      from = last.last;
    }
    return all;
  }

  private newScheduler(): NodeScheduler {
    return new NodeScheduler(this.clock, 0, { originMs: 0, rate: 1 });
  }
}

async function booted(seed: number): Promise<Machine> {
  const machine = new Machine(seed);
  await machine.boot();
  machine.storage.persist(recordOf(1), (error) => expect(error).toBeNull());
  await machine.run();
  return machine;
}

function recordOf(epoch: number) {
  return {
    ensembleId: '0123456789abcdef0123456789abcdef' as EnsembleId,
    acceptedEpoch: toEpoch(epoch),
    currentEpoch: toEpoch(epoch),
    probation: false,
    seed: zxidZero,
  };
}

function batches(from: number, to: number, bytes = 20): Batch[] {
  return Array.from({ length: to - from + 1 }, (_, index) => batchOf(1, from + index, { bytes }));
}

describe('storage on a simulated disk', () => {
  it('keeps what is durable and some prefix of the rest through a crash', async () => {
    const kept = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = await booted(seed);
      const all = batches(1, 10, 150);
      await machine.append(...all.slice(0, 5));
      expect(machine.durable.at(-1)).toBe(zxid(1, 5));
      for (const batch of all.slice(5)) machine.storage.log.append(batch);
      await machine.run(seed / 40);
      const { durable } = machine.storage.log;
      machine.crash(seed % 2 === 0 ? 'machine' : 'process');
      const { log } = await machine.boot();
      expect(log.last).toBeGreaterThanOrEqual(durable);
      expect(log.durable).toBe(log.last);
      expect(describeBatches(await machine.readAll())).toEqual(
        describeBatches(all.filter((batch) => batch.last <= log.last)),
      );
      kept.add(log.last);
    }
    expect(kept.size).toBeGreaterThan(3);
  });

  it('has a record or a truncation that a crash interrupts whole or not at all', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = await booted(seed);
      await machine.append(...batches(1, 6, 300));
      machine.storage.persist(recordOf(2), () => {});
      machine.storage.log.truncate(zxid(1, 2), () => {});
      await machine.run(seed / 15);
      machine.crash(seed % 2 === 0 ? 'machine' : 'process');
      const { record, log, boot } = await machine.boot();
      expect([1, 2]).toContain(record.acceptedEpoch);
      expect([zxid(1, 2), zxid(1, 6)]).toContain(log.last);
      expect(boot).toBe(2);
      seen.add(`${record.acceptedEpoch} ${log.last}`);
    }
    expect(seen.size).toBeGreaterThanOrEqual(3);
  });

  it('stops the log for good when a write or its way to the platter fails', async () => {
    for (const fail of ['failNextWrite', 'failNextSync'] as const) {
      const machine = await booted(1);
      await machine.append(batchOf(1, 1));
      machine.disk[fail]();
      await machine.append(batchOf(1, 2));
      await machine.append(batchOf(1, 3));
      expect(machine.failures.map((error) => error.message.slice(0, 3))).toEqual(['EIO']);
      expect(machine.durable).toEqual([zxid(1, 1)]);
    }
  });

  it('brings to the platter what a failed sync has left as clean pages, before it counts as durable', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const machine = await booted(seed);
      await machine.append(batchOf(1, 1));
      machine.disk.failNextSync();
      await machine.append(...batches(2, 3));
      expect(machine.failures.length).toBe(1);
      machine.crash('process');
      // The page cache still shows it, and the node may acknowledge it after this boot.
      const { log } = await machine.boot();
      const { durable } = log;
      expect(durable).toBe(zxid(1, 3));
      machine.crash('machine');
      expect((await machine.boot()).log.last).toBe(durable);
    }
  });

  it('names its directory durably also when an earlier process died while it made it', async () => {
    for (let steps = 1; steps < 40; steps++) {
      const machine = new Machine(steps);
      let left = steps;
      machine.onStep = () => {
        left -= 1;
        if (left === 0) machine.crash('process');
      };
      machine.begin();
      await machine.run();
      machine.onStep = () => {};
      machine.crash('process');
      await machine.boot();
      machine.storage.persist(recordOf(1), (error) => expect(error).toBeNull());
      await machine.append(batchOf(1, 1));
      machine.crash('machine');
      expect((await machine.boot()).log.last).toBe(zxid(1, 1));
    }
  });

  it('keeps a restored directory, and what was acknowledged in it, though the machine fails before anything else', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const machine = new Machine(seed);
      await machine.seed(zxid(0, 7));
      machine.crash('machine');
      expect((await machine.boot()).log.last).toBe(zxid(0, 7));
      machine.storage.persist(recordOf(1), (error) => expect(error).toBeNull());
      await machine.append(batchOf(1, 1));
      expect(machine.durable.at(-1)).toBe(zxid(1, 1));
      machine.crash('machine');
      expect((await machine.boot()).log.last).toBe(zxid(1, 1));
    }
  });

  it('lets appends, truncations and records wait while it is full, and while it is stalled', async () => {
    const machine = await booted(1);
    await machine.append(batchOf(1, 1, { bytes: 600 }));
    machine.disk.full = true;
    await machine.append(...batches(2, 5, 600));
    const { durable } = machine.storage.log;
    expect(durable).toBeLessThan(zxid(1, 5));
    let done = 0;
    machine.storage.persist(recordOf(2), (error) => {
      expect(error).toBeNull();
      done += 1;
    });
    await machine.run();
    expect([machine.pressure.at(-1), done]).toEqual([true, 0]);
    machine.disk.full = false;
    await machine.run();
    expect([machine.pressure.at(-1), machine.durable.at(-1), done]).toEqual([false, zxid(1, 5), 1]);
    machine.disk.full = true;
    machine.storage.log.truncate(zxid(1, 1), () => {
      done += 1;
    });
    await machine.run();
    expect([done, machine.failures]).toEqual([1, []]);
    machine.disk.full = false;
    await machine.run();
    expect([done, machine.storage.log.last]).toEqual([2, zxid(1, 1)]);
    machine.disk.setStalled(true);
    await machine.append(batchOf(1, 2));
    expect(machine.storage.log.durable).toBe(zxid(1, 1));
    machine.disk.setStalled(false);
    await machine.run();
    expect(machine.storage.log.durable).toBe(zxid(1, 2));
  });

  it('keeps its last durable segment while the next one has no header on the disk', async () => {
    const machine = await booted(1);
    await machine.append(...batches(1, 3, 200));
    machine.disk.setStalled(true);
    // It needs another segment, and only the beginning of that is written.
    await machine.append(...batches(4, 5, 200));
    const { log } = machine.storage;
    log.trim(log.durable, 0);
    await machine.run();
    machine.crash('process');
    machine.disk.setStalled(false);
    await machine.boot();
    expect(machine.storage.log.last).toBeGreaterThanOrEqual(zxid(1, 3));
  });

  it('refuses every flipped bit below what is known durable, and a damaged manifest', async () => {
    for (let seed = 0; seed < 60; seed++) {
      const machine = await booted(seed);
      for (let counter = 1; counter <= 8; counter++) await machine.append(batchOf(1, counter, { bytes: 200 }));
      machine.crash('machine');
      const random = new SeededRandom(seed);
      const struck =
        seed % 4 === 0
          ? rotFile(machine.disk, `${directory}/manifest`, random)
          : rotLog(machine.disk, `${directory}/log-000001`, random);
      expect(struck).toBe(true);
      await expect(machine.boot()).rejects.toThrow('Cannot open data directory');
    }
  });

  it('is empty again when it was wiped', async () => {
    const machine = await booted(3);
    const { incarnation } = machine.storage;
    machine.crash('machine');
    machine.disk.wipe();
    const { record, boot, incarnation: fresh } = await machine.boot();
    expect([record.ensembleId, boot, fresh === incarnation]).toEqual([null, 1, false]);
  });
});

it('installs a snapshot whole or not at all, and removes what a crash leaves of it', async () => {
  const applied = zxid(2, 4);
  const source = await booted(1);
  const meta = {
    appliedZxid: applied,
    revision: revisionFirst,
    compactedRevision: revisionFirst,
    sessionsEvictedThrough: zxidZero,
  };
  const nothing = { versions: [], sessions: [], sessionsEvicted: [], byteLength: 0 };
  source.storage.store.flush({ meta, ...nothing }, () => undefined);
  await source.run();
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 60; seed++) {
    const machine = await booted(seed);
    await machine.append(batchOf(1, 1));
    const writer = machine.storage.receiveSnapshot();
    const image = source.storage.store.image();
    for (let chunk = image.next(100); chunk !== null; chunk = image.next(100)) {
      writer.write(chunk, (error) => expect(error).toBeNull());
      await machine.run();
    }
    let installed = false;
    writer.finish(applied, recordOf(3), (error) => {
      installed = error === null;
    });
    await machine.run(seed / 6);
    if (installed) expect([machine.storage.log.base, machine.storage.record.currentEpoch]).toEqual([applied, 3]);
    machine.crash(seed % 2 === 0 ? 'machine' : 'process');
    const { log, store, record } = await machine.boot();
    await machine.run();
    const after = [log.base, log.last, store.meta.appliedZxid, record.currentEpoch];
    if (installed) expect(after).toEqual([applied, applied, applied, 3]);
    expect([
      [zxidZero, zxid(1, 1), zxidZero, 1],
      [applied, applied, applied, 3],
    ]).toContainEqual(after);
    expect(machine.disk.directory(directory).entries.size).toBe(3);
    outcomes.add(`${installed} ${after.join(' ')}`);
  }
  expect(outcomes.size).toBeGreaterThanOrEqual(2);
});

type Step = 'append' | 'run' | 'truncate' | 'trim' | 'kill' | 'powerOff' | 'persist';

it('is deterministic and behaves as a list of batches does', { timeout: 60_000 }, async () => {
  const kinds = fc.constantFrom<Step>('append', 'append', 'run', 'truncate', 'trim', 'kill', 'powerOff', 'persist');
  await fc.assert(
    fc.asyncProperty(fc.nat(2 ** 31), fc.array(kinds, { maxLength: 30 }), async (seed, list) => {
      expect(await play(seed, list)).toEqual(await play(seed, list));
    }),
    { numRuns: 60 },
  );
});

/** Plays the steps against a list; returns what was seen, to compare runs. */
async function play(seed: number, steps: readonly Step[]): Promise<unknown[]> {
  const machine = await booted(seed);
  const choices = new SeededRandom(seed + 1);
  const seen: unknown[] = [];
  let model: Batch[] = [];
  /** Trimmed away: a crash may find those whose file was not removed yet. */
  let trimmed: Batch[] = [];
  let epoch = 1;
  let counter = 0;
  machine.storage.persist(recordOf(1000), () => undefined);
  await machine.run();
  for (const step of steps) {
    const { log } = machine.storage;
    if (step === 'append') {
      counter += 1;
      const batch = batchOf(epoch, counter, { bytes: choices.below(500) });
      model.push(batch);
      log.append(batch);
    } else if (step === 'run') await machine.run(choices.next());
    else if (step === 'persist') machine.storage.persist(recordOf(1000), (error) => seen.push(error));
    else if (step === 'trim') {
      const base = log.trim(model[choices.below(model.length + 1)]?.last ?? log.base, choices.below(2000));
      trimmed.push(...model.filter((batch) => batch.last <= base));
      model = model.filter((batch) => batch.last > base);
    } else {
      if (step === 'truncate') {
        await machine.run();
        const to = model[choices.below(model.length + 1)]?.last ?? log.base;
        log.truncate(to, () => seen.push(to));
        await machine.run();
        model = model.filter((batch) => batch.last <= to);
      } else {
        const { durable } = log;
        machine.crash(step === 'kill' ? 'process' : 'machine');
        const { log: recovered } = await machine.boot();
        expect(recovered.last).toBeGreaterThanOrEqual(durable);
        model = [...trimmed, ...model].filter((batch) => batch.last > recovered.base && batch.last <= recovered.last);
        trimmed = [];
      }
      epoch += 1;
      counter = 0;
    }
    const now = machine.storage.log;
    expect(now.last).toBe(model.at(-1)?.last ?? now.base);
    seen.push(now.last, now.chain, now.epochEnds(), machine.clock.nowMs());
  }
  await machine.run();
  expect(describeBatches(await machine.readAll())).toEqual(describeBatches(model));
  return seen;
}
