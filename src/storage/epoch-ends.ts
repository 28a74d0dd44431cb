// Keeps the last zxid of each epoch in a log, and refuses what would leave a hole in it. Pure
// bookkeeping; never reads the log.

import { assert } from '../shared/assert.js';
import { counterOf, epochOf, formatZxid, type Zxid } from '../shared/ids.js';
import type { EpochEnd } from '../zab/messages.js';

/**
 * Why a batch cannot follow a log that ends at `last`, null when it can. `empty`: the log ends at its base, which may lie
 * inside the batch, because a tree is cut where it was flushed and not where a batch ended.
 */
export function gapBefore(
  batch: { readonly first: Zxid; readonly last: Zxid },
  log: { readonly last: Zxid; readonly empty: boolean },
): string | null {
  const reason = reasonOfGap(batch, log);
  if (reason === null) return null;
  return `${reason}: ${formatZxid(batch.first)}..${formatZxid(batch.last)} after ${formatZxid(log.last)}`;
}

function reasonOfGap(
  { first, last }: { readonly first: Zxid; readonly last: Zxid },
  log: { readonly last: Zxid; readonly empty: boolean },
): string | null {
  if (last < first || epochOf(first) !== epochOf(last) || counterOf(first) === 0) return 'not a batch';
  if (last <= log.last) return 'not new';
  if (first === log.last + 1) return null;
  if (epochOf(first) > epochOf(log.last)) return counterOf(first) === 1 ? null : 'a hole at the start of an epoch';
  if (first > log.last) return 'a hole';
  return log.empty ? null : 'an overlap';
}

export class EpochEnds {
  private list: EpochEnd[];

  constructor(base: Zxid) {
    this.list = [{ epoch: epochOf(base), last: base }];
  }

  /** Oldest first, the base's own epoch included. A fresh array: it may be kept. */
  all(): readonly EpochEnd[] {
    return this.list.slice();
  }

  appended(last: Zxid): void {
    const epoch = epochOf(last);
    const newest = this.list.at(-1);
    assert(
      newest !== undefined && last > newest.last,
      `Cannot append ${formatZxid(last)}: it is not after the log's end`,
    );
    if (newest.epoch === epoch) this.list[this.list.length - 1] = { epoch, last };
    else this.list.push({ epoch, last });
  }

  truncated(to: Zxid): void {
    const kept = this.list.filter((end) => end.epoch <= epochOf(to));
    const newest = kept.at(-1);
    assert(
      newest !== undefined && newest.last >= to,
      `Cannot truncate to ${formatZxid(to)}: the log has no such epoch`,
    );
    kept[kept.length - 1] = { epoch: newest.epoch, last: to };
    this.list = kept;
  }

  trimmed(base: Zxid): void {
    this.list = this.list.filter((end) => end.epoch >= epochOf(base));
    assert(this.list.length > 0, `Cannot trim to ${formatZxid(base)}: the log has no such epoch`);
  }
}
