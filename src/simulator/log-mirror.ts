// What one node's commit log holds, seen from outside: batch ends, each with a hash over the whole history up to it, and
// how far it is on the platter. Two logs hold the same history up to a zxid exactly if their hashes there are equal.

import { formatZxid, type Zxid, zxidZero } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { mixBytes, mixNumber } from './content-hash.js';

export interface MirroredBatch {
  readonly batch: Batch;
  /** Over everything up to and with this batch. */
  readonly historyHash: number;
  /** The log's own checksum of the same; undefined when it was never asked for. */
  chain: number | undefined;
}

/**
 * Hash of a history whose end is not the end of a batch: a tree may be cut inside one. The batch that follows it then
 * begins inside itself, and its history is whatever its first writer's was.
 */
export const cutHistoryHash = 2;

/** Hash of the empty history. */
export const emptyHistoryHash = 1;

export function extendHistory(historyHash: number, batch: Batch): number {
  return mixBytes(mixNumber(mixNumber(historyHash, batch.first), batch.last), batch.body);
}

export class LogMirror {
  base: Zxid = zxidZero;
  private baseHash = emptyHistoryHash;
  /** After `base`, oldest first. */
  private batches: MirroredBatch[] = [];
  /** Survives a crash up to here. */
  durable: Zxid = zxidZero;

  get last(): Zxid {
    return this.batches.at(-1)?.batch.last ?? this.base;
  }

  get lastHash(): number {
    return this.batches.at(-1)?.historyHash ?? this.baseHash;
  }

  get lastChain(): number | undefined {
    return this.batches.at(-1)?.chain;
  }

  set lastChain(chain: number) {
    const last = this.batches.at(-1);
    if (last !== undefined) last.chain = chain;
  }

  /** `known`: hash of the history up to this batch as its first writer had it; used behind a cut base. */
  append(batch: Batch, known?: number): MirroredBatch {
    const cut = this.batches.length === 0 && this.baseHash === cutHistoryHash && known !== undefined;
    const historyHash = cut ? known : extendHistory(this.lastHash, batch);
    const mirrored = { batch, historyHash, chain: undefined };
    this.batches.push(mirrored);
    return mirrored;
  }

  /** Drops what follows `to`. */
  truncate(to: Zxid): void {
    this.batches.length = this.indexAfter(to);
    if (this.durable > to) this.durable = to;
  }

  /** The log dropped its beginning, up to the end of a batch. */
  trim(base: Zxid): void {
    if (base <= this.base) return;
    const dropped = this.indexAfter(base);
    this.baseHash = this.batches[dropped - 1]?.historyHash ?? this.baseHash;
    this.batches.splice(0, dropped);
    this.base = base;
  }

  /** A snapshot took the log's place: empty after `base`, whose history has this hash. */
  rebase(base: Zxid, baseHash: number): void {
    this.base = base;
    this.baseHash = baseHash;
    this.batches = [];
    this.durable = base;
  }

  /** Hash of the history up to `zxid`; undefined when that is not the end of a batch that is here. */
  hashAt(zxid: Zxid): number | undefined {
    if (zxid === this.base) return this.baseHash;
    const found = this.batches[this.indexAfter(zxid) - 1];
    return found?.batch.last === zxid ? found.historyHash : undefined;
  }

  /** Batches after `after` up to `through`. */
  between(after: Zxid, through: Zxid): readonly MirroredBatch[] {
    return this.batches.slice(this.indexAfter(after), this.indexAfter(through));
  }

  /** End of the last batch at or below `zxid`. */
  lastAtOrBelow(zxid: Zxid): Zxid {
    return this.batches[this.indexAfter(zxid) - 1]?.batch.last ?? this.base;
  }

  describe(): string {
    return `${formatZxid(this.base)}..${formatZxid(this.last)}, durable ${formatZxid(this.durable)}`;
  }

  /** Number of batches that end at or before `zxid`. */
  private indexAfter(zxid: Zxid): number {
    let low = 0;
    let high = this.batches.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.batches[middle] as MirroredBatch).batch.last <= zxid) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
