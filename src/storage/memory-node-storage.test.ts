import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchOf, describeBatches, zxid } from '../../test/support/log-harness.js';
import { type EnsembleId, revisionFirst, toEpoch, toServerId, type Zxid, zxidZero } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { NodeScheduler, VirtualClock } from '../simulator/virtual-clock.js';
import type { Batch } from '../zab/messages.js';
import { MemoryDisk } from './memory-disk.js';
import { type MemoryNodeStorage, openMemoryNodeStorage } from './memory-node-storage.js';
import { MemoryTreeDisk } from './memory-tree-store.js';

const serverId = toServerId(5);

/** A disk, and one process after another on it, in virtual time. */
class Machine {
  readonly clock = new VirtualClock();
  readonly disk: MemoryDisk;
  readonly durable: Zxid[] = [];
  readonly pressure: boolean[] = [];
  readonly failures: Error[] = [];
  private scheduler: NodeScheduler;
  private opened: MemoryNodeStorage;

  constructor(seed: number) {
    const random = new SeededRandom(seed);
    this.scheduler = this.newScheduler();
    const worldScheduler = {
      defer: (task: () => void) => void this.clock.after(0, task),
      after: (delayMs: number, task: () => void) => this.clock.after(delayMs, task),
    };
    this.disk = new MemoryDisk({
      random,
      trees: new MemoryTreeDisk({ scheduler: worldScheduler }),
      delayMs: () => 0.1 + random.next(),
      logSegmentBytes: 1024,
    });
    this.opened = this.boot();
  }

  get storage(): MemoryNodeStorage {
    return this.opened;
  }

  boot(): MemoryNodeStorage {
    this.scheduler = this.newScheduler();
    this.opened = openMemoryNodeStorage({ disk: this.disk, serverId, scheduler: this.scheduler });
    this.opened.start({
      durable: (through) => this.durable.push(through),
      pressure: (full) => this.pressure.push(full),
      failed: (error) => this.failures.push(error),
    });
    return this.opened;
  }

  crash(): void {
    this.scheduler.kill();
    this.disk.crash();
  }

  run(ms = 100): void {
    this.clock.runUntil(this.clock.nowMs() + ms);
  }

  readAll(): Batch[] {
    const { log } = this.opened;
    const all: Batch[] = [];
    for (let from = log.base; from < log.last; ) {
      let found: readonly Batch[] = [];
      log.read(from, 500, (error, batches) => {
        if (error !== null) throw error;
        found = batches;
      });
      this.run();
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

function recordOf(epoch: number) {
  return {
    ensembleId: '0123456789abcdef0123456789abcdef' as EnsembleId,
    acceptedEpoch: toEpoch(epoch),
    currentEpoch: toEpoch(epoch),
    probation: false,
  };
}

describe('a simulated disk', () => {
  it('keeps what is durable and some prefix of the rest through a crash', () => {
    const kept = new Set<number>();
    for (let seed = 0; seed < 60; seed++) {
      const machine = new Machine(seed);
      machine.storage.persist(recordOf(1), () => undefined);
      machine.run();
      const batches = Array.from({ length: 10 }, (_, i) => batchOf(1, i + 1));
      for (const batch of batches.slice(0, 5)) machine.storage.log.append(batch);
      machine.run();
      expect(machine.durable.at(-1)).toBe(zxid(1, 5));
      for (const batch of batches.slice(5)) machine.storage.log.append(batch);
      machine.run(0.05);
      machine.crash();
      machine.run();
      expect(machine.durable.at(-1)).toBe(zxid(1, 5));
      const { log } = machine.boot();
      expect(log.last).toBeGreaterThanOrEqual(zxid(1, 5));
      expect(log.durable).toBe(log.last);
      expect(describeBatches(machine.readAll())).toEqual(
        describeBatches(batches.filter((batch) => batch.last <= log.last)),
      );
      kept.add(log.last);
    }
    expect(kept.size).toBeGreaterThan(3);
  });

  it('has a record or a truncation that a crash interrupts whole or not at all', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 40; seed++) {
      const machine = new Machine(seed);
      machine.storage.persist(recordOf(1), () => undefined);
      for (let counter = 1; counter <= 6; counter++) machine.storage.log.append(batchOf(1, counter));
      machine.run();
      machine.storage.persist(recordOf(2), () => expect.unreachable());
      machine.storage.log.truncate(zxid(1, 2), () => expect.unreachable());
      machine.crash();
      machine.run();
      const { record, log, boot } = machine.boot();
      expect([1, 2]).toContain(record.acceptedEpoch);
      expect([zxid(1, 2), zxid(1, 6)]).toContain(log.last);
      expect(boot).toBe(2);
      seen.add(`${record.acceptedEpoch} ${log.last}`);
    }
    expect(seen.size).toBe(4);
  });

  it('stops the log for good when a write fails', () => {
    const machine = new Machine(1);
    machine.storage.log.append(batchOf(1, 1));
    machine.run();
    machine.disk.failNextWrite(new Error('EIO'));
    machine.storage.log.append(batchOf(1, 2));
    machine.run();
    machine.storage.log.append(batchOf(1, 3));
    machine.run();
    expect(machine.failures.map((error) => error.message)).toEqual(['EIO']);
    expect(machine.durable).toEqual([zxid(1, 1)]);
  });

  it('lets appends wait while it is full and a segment is needed, and while it is stalled', () => {
    const machine = new Machine(1);
    machine.disk.setFull(true);
    machine.storage.log.append(batchOf(1, 1, { bytes: 600 }));
    machine.storage.log.append(batchOf(1, 2, { bytes: 600 }));
    machine.run();
    expect(machine.durable).toEqual([zxid(1, 1)]);
    machine.disk.setFull(false);
    machine.run();
    expect([machine.pressure, machine.durable.at(-1)]).toEqual([[true, false], zxid(1, 2)]);
    machine.disk.setStalled(true);
    machine.storage.log.append(batchOf(1, 3));
    machine.run();
    expect(machine.durable.at(-1)).toBe(zxid(1, 2));
    machine.disk.setStalled(false);
    machine.run();
    expect(machine.durable.at(-1)).toBe(zxid(1, 3));
  });

  it('never calls back within the call, and is empty again when it was wiped', () => {
    const machine = new Machine(3);
    let calls = 0;
    const count = (): void => {
      calls += 1;
    };
    machine.storage.persist(recordOf(1), count);
    machine.storage.log.truncate(zxidZero, count);
    machine.storage.log.read(zxidZero, 10, count);
    expect(calls).toBe(0);
    machine.run();
    expect(calls).toBe(3);
    const { incarnation } = machine.storage;
    machine.crash();
    machine.disk.wipe();
    const { record, boot, incarnation: fresh } = machine.boot();
    expect([record.ensembleId, boot, fresh === incarnation]).toEqual([null, 1, false]);
  });
});

it('installs a snapshot whole or not at all, and removes what a crash leaves of it', () => {
  const applied = zxid(2, 4);
  const source = new Machine(1);
  const meta = {
    appliedZxid: applied,
    revision: revisionFirst,
    compactedRevision: revisionFirst,
    sessionsEvictedThrough: zxidZero,
  };
  const nothing = { versions: [], sessions: [], sessionsEvicted: [], byteLength: 0 };
  source.storage.store.flush({ meta, ...nothing }, () => undefined);
  source.run();
  const outcomes = new Set<string>();
  for (let seed = 0; seed < 40; seed++) {
    const machine = new Machine(seed);
    machine.storage.persist(recordOf(1), () => undefined);
    machine.storage.log.append(batchOf(1, 1));
    machine.run();
    const writer = machine.storage.receiveSnapshot();
    const image = source.storage.store.image();
    for (let chunk = image.next(100); chunk !== null; chunk = image.next(100)) {
      writer.write(chunk, (error) => expect(error).toBeNull());
      machine.run();
    }
    let installed = false;
    writer.finish(applied, recordOf(3), (error) => {
      installed = error === null;
    });
    machine.run(seed / 30);
    if (installed) expect([machine.storage.log.base, machine.storage.record.currentEpoch]).toEqual([applied, 3]);
    machine.crash();
    const { log, store, record } = machine.boot();
    const after = [log.base, log.last, store.meta.appliedZxid, record.currentEpoch];
    if (installed) expect(after).toEqual([applied, applied, applied, 3]);
    expect([
      [zxidZero, zxid(1, 1), zxidZero, 1],
      [applied, applied, applied, 3],
    ]).toContainEqual(after);
    expect([machine.disk.logs.size, machine.disk.treeNames.size]).toEqual([1, 1]);
    outcomes.add(`${installed} ${after.join(' ')}`);
  }
  expect(outcomes.size).toBe(3);
});

type Step = 'append' | 'run' | 'truncate' | 'trim' | 'crash' | 'persist';

it('is deterministic and behaves as a list of batches does', () => {
  const steps = fc.array(fc.constantFrom<Step>('append', 'append', 'run', 'truncate', 'trim', 'crash', 'persist'), {
    maxLength: 40,
  });
  fc.assert(
    fc.property(fc.nat(2 ** 31), steps, (seed, list) => {
      expect(play(seed, list)).toEqual(play(seed, list));
    }),
    { numRuns: 150 },
  );
});

/** Plays the steps against a list; returns what was seen, to compare runs. */
function play(seed: number, steps: readonly Step[]): unknown[] {
  const machine = new Machine(seed);
  const choices = new SeededRandom(seed + 1);
  const seen: unknown[] = [];
  let model: Batch[] = [];
  let epoch = 1;
  let counter = 0;
  machine.storage.persist(recordOf(1000), () => undefined);
  machine.run();
  for (const step of steps) {
    const { log } = machine.storage;
    if (step === 'append') {
      counter += 1;
      const batch = batchOf(epoch, counter, { bytes: choices.below(500) });
      model.push(batch);
      log.append(batch);
    } else if (step === 'run') machine.run(choices.next());
    else if (step === 'persist') machine.storage.persist(recordOf(1000), (error) => seen.push(error));
    else if (step === 'trim') {
      const base = log.trim(model[choices.below(model.length + 1)]?.last ?? log.base, choices.below(2000));
      model = model.filter((batch) => batch.last > base);
    } else {
      if (step === 'truncate') {
        machine.run();
        const to = model[choices.below(model.length + 1)]?.last ?? log.base;
        log.truncate(to, () => seen.push(to));
        machine.run();
        model = model.filter((batch) => batch.last <= to);
      } else {
        const { durable } = log;
        machine.crash();
        const { log: recovered } = machine.boot();
        expect(recovered.last).toBeGreaterThanOrEqual(durable);
        model = model.filter((batch) => batch.last <= recovered.last);
      }
      epoch += 1;
      counter = 0;
    }
    expect(machine.storage.log.last).toBe(model.at(-1)?.last ?? machine.storage.log.base);
    seen.push(
      machine.storage.log.last,
      machine.storage.log.chain,
      machine.storage.log.epochEnds(),
      machine.clock.nowMs(),
    );
  }
  machine.run();
  expect(describeBatches(machine.readAll())).toEqual(describeBatches(model));
  return seen;
}
