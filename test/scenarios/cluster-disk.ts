// The disk and tree of one node of a test cluster: what survives a crash, what is still on its way, and what the tree
// has applied. Batches are kept whole; a body is its text as bytes.

import { assert } from '../../src/shared/assert.js';
import { type EnsembleId, type Epoch, epochOf, type Zxid, zxidZero } from '../../src/shared/ids.js';
import type { EpochRecord } from '../../src/zab/effects.js';
import type { DurableState } from '../../src/zab/events.js';
import { checkRecordChange } from '../../src/zab/invariants.js';
import type { Batch, EpochEnd } from '../../src/zab/messages.js';

export const blankRecord: EpochRecord = {
  ensembleId: null,
  acceptedEpoch: 0 as Epoch,
  currentEpoch: 0 as Epoch,
  probation: false,
  seed: zxidZero,
};

/** An image of a tree: the batches it has applied, in order. */
export interface TreeImage {
  readonly applied: readonly Batch[];
}

export class ClusterDisk {
  record: EpochRecord = blankRecord;
  base: Zxid = zxidZero;
  /** Batches after `base`; the first `durableCount` of them are on disk. */
  log: Batch[] = [];
  durableCount = 0;
  /** What the tree has applied in memory, and how many of it its own disk holds. */
  applied: Batch[] = [];
  flushedCount = 0;

  /** The tree that it began with, in the place of a batch. */
  get restored(): Batch | undefined {
    const first = this.applied[0];
    return first !== undefined && epochOf(first.last) === 0 ? first : undefined;
  }

  get last(): Zxid {
    return this.log.at(-1)?.last ?? this.base;
  }

  get durable(): Zxid {
    return this.log[this.durableCount - 1]?.last ?? this.base;
  }

  get appliedZxid(): Zxid {
    return this.applied.at(-1)?.last ?? zxidZero;
  }

  /** Applied or logged up to here, durably: what a quorum of commits counts. */
  holdsDurably(zxid: Zxid): boolean {
    return this.base >= zxid || this.log.slice(0, this.durableCount).some(({ last }) => last === zxid);
  }

  persist(record: EpochRecord): void {
    checkRecordChange(this.record, record);
    this.record = record;
  }

  append(batch: Batch): void {
    this.log.push(batch);
  }

  /** As `zabtree snapshot restore` leaves it: blank, with a tree that no other node has exactly like this. */
  restore(seed: Zxid): void {
    this.record = { ...this.record, seed };
    this.base = seed;
    this.applied = [{ first: seed, last: seed, body: new Uint8Array(0) }];
    this.flushedCount = 1;
  }

  fsync(through: Zxid): void {
    const count = this.log.findIndex(({ last }) => last === through) + 1;
    if (count > this.durableCount) this.durableCount = count;
  }

  truncate(to: Zxid): void {
    assert(this.durableCount === this.log.length, 'truncated with appends in flight');
    assert(to >= this.appliedZxid, 'truncated what the tree has applied');
    const keep = to === this.base ? 0 : this.log.findIndex(({ last }) => last === to) + 1;
    assert(to === this.base || keep > 0, `truncated to ${to}, which is no batch boundary`);
    this.log.length = keep;
    this.durableCount = keep;
  }

  /** Applies what the log holds up to `through`. */
  deliver(through: Zxid): readonly Batch[] {
    const from = this.appliedZxid;
    const fresh = this.log.slice(0, this.durableCount).filter(({ last }) => last > from && last <= through);
    assert(fresh.at(-1)?.last === through, `told to deliver ${through}, the durable log ends at ${this.durable}`);
    this.applied.push(...fresh);
    return fresh;
  }

  install(image: TreeImage, record: EpochRecord): void {
    checkRecordChange(this.record, record);
    const { restored } = this;
    assert(
      restored === undefined || image.applied[0]?.last === restored.last,
      'restored data gives way to what does not come from the same snapshot',
    );
    this.record = record;
    this.applied = [...image.applied];
    this.flushedCount = this.applied.length;
    this.base = this.appliedZxid;
    this.log = [];
    this.durableCount = 0;
  }

  /** Flushes the tree and drops what it holds from the log. */
  flushAndTrim(): Zxid {
    this.flushedCount = this.applied.length;
    const drop = this.log.filter(({ last }) => last <= this.appliedZxid).length;
    this.log.splice(0, drop);
    this.durableCount -= drop;
    this.base = this.appliedZxid;
    return this.base;
  }

  /** The process is gone: of the appends in flight `surviving` reached the disk, oldest first. */
  crash(surviving: number): void {
    this.durableCount = Math.min(this.log.length, this.durableCount + surviving);
    this.log.length = this.durableCount;
    this.applied.length = this.flushedCount;
  }

  boot(): DurableState {
    const ends = new Map<Epoch, EpochEnd>();
    if (this.base !== zxidZero) ends.set(epochOf(this.base), { epoch: epochOf(this.base), last: this.base });
    for (const { last } of this.log) ends.set(epochOf(last), { epoch: epochOf(last), last });
    return {
      ...this.record,
      logBase: this.base,
      lastZxid: this.last,
      epochEnds: [...ends.values()],
      applied: this.appliedZxid,
    };
  }
}

export function ensembleIdOf(node: number): EnsembleId {
  return String(node).padStart(32, 'e') as EnsembleId;
}
