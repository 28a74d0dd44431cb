// What a simulated disk holds of one commit log: records in order, how many of them are synced, and where segments end.
// Plain data with the operations that change it at once; memory-commit-log.ts puts time and failure around it.

import { crc32 } from 'node:zlib';
import { assert } from '../shared/assert.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import type { Batch } from '../zab/messages.js';
import { recordBytes } from './log-record.js';

export interface MemoryRecord {
  readonly batch: Batch;
  readonly chain: number;
  readonly segment: number;
}

export class MemoryLogContent {
  base: Zxid;
  baseChain = 0;
  records: MemoryRecord[] = [];
  /** How many of the records survive a crash for certain. */
  durableCount = 0;
  private readonly segmentBytes: number;
  /** Used bytes of each segment, the oldest retained one first. */
  private segments: { readonly number: number; bytes: number }[] = [{ number: 1, bytes: 0 }];

  constructor(base: Zxid, segmentBytes: number) {
    this.base = base;
    this.segmentBytes = segmentBytes;
  }

  get last(): Zxid {
    return this.records.at(-1)?.batch.last ?? this.base;
  }

  get chain(): number {
    return this.records.at(-1)?.chain ?? this.baseChain;
  }

  get durable(): Zxid {
    return this.records[this.durableCount - 1]?.batch.last ?? this.base;
  }

  get bytes(): number {
    return this.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** True when a record of this body begins a segment that is not there yet. */
  needsSegment(bodyBytes: number): boolean {
    const active = this.segments.at(-1);
    return active !== undefined && active.bytes > 0 && active.bytes + recordBytes(bodyBytes) > this.segmentBytes;
  }

  append(batch: Batch, chain: number): void {
    if (this.needsSegment(batch.body.length)) this.segments.push({ number: this.activeSegment.number + 1, bytes: 0 });
    const active = this.activeSegment;
    active.bytes += recordBytes(batch.body.length);
    this.records.push({ batch, chain, segment: active.number });
  }

  truncate(to: Zxid): void {
    const keep = this.records.findLastIndex((record) => record.batch.last <= to) + 1;
    const end = this.records[keep - 1]?.batch.last ?? this.base;
    assert(end === to, `Cannot truncate a log to ${formatZxid(to)}: no batch ends there`);
    for (const record of this.records.slice(keep)) this.forget(record);
    this.records.length = keep;
    this.durableCount = Math.min(this.durableCount, keep);
    const active = this.records.at(-1)?.segment ?? this.segments[0]?.number ?? 1;
    this.segments = this.segments.filter((segment) => segment.number <= active);
  }

  /** Drops whole segments that end at or before `through` while keepBytes stay. */
  trim(through: Zxid, keepBytes: number): void {
    while (this.segments.length > 1) {
      const oldest = this.segments[0] as { readonly number: number; bytes: number };
      const count = this.records.findLastIndex((record) => record.segment === oldest.number) + 1;
      const last = this.records[count - 1];
      if (this.bytes - oldest.bytes < keepBytes || count > this.durableCount) return;
      if (last !== undefined && last.batch.last > through) return;
      this.segments.shift();
      if (last === undefined) continue;
      this.base = last.batch.last;
      this.baseChain = last.chain;
      this.records.splice(0, count);
      this.durableCount -= count;
    }
  }

  /** What was not synced is there in part: a prefix, as recovery leaves it. */
  crash(random: SeededRandom): void {
    const unsynced = this.records.length - this.durableCount;
    if (unsynced === 0) return;
    const keep = this.durableCount + random.below(unsynced + 1);
    this.truncate(this.records[keep - 1]?.batch.last ?? this.base);
    this.durableCount = this.records.length;
  }

  private get activeSegment(): { readonly number: number; bytes: number } {
    return this.segments.at(-1) as { readonly number: number; bytes: number };
  }

  private forget(record: MemoryRecord): void {
    const segment = this.segments.find((candidate) => candidate.number === record.segment);
    if (segment !== undefined) segment.bytes -= recordBytes(record.batch.body.length);
  }
}

/** The same hash as on disk: see log-record.ts. */
export function chainAfter(previous: number, batch: Batch): number {
  const zxids = new DataView(new ArrayBuffer(16));
  zxids.setBigUint64(0, BigInt(batch.first), true);
  zxids.setBigUint64(8, BigInt(batch.last), true);
  return crc32(batch.body, crc32(zxids, previous));
}
