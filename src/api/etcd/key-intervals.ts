// A set of keys as disjoint intervals in order, so that asking for a key is a search and not a walk.

import { type Bytes, compareBytes } from '../../shared/bytes.js';

interface Interval {
  readonly from: Bytes;
  /** Exclusive; undefined = no end. */
  readonly to: Bytes | undefined;
}

export class KeyIntervals {
  /** Disjoint, not even touching, ascending. */
  private intervals: Interval[] = [];

  /** `from` is below `to`. */
  add(from: Bytes, to: Bytes | undefined): void {
    const { intervals } = this;
    const first = this.firstNotBefore(from);
    let merged: Interval = { from, to };
    let next = first;
    for (; next < intervals.length; next++) {
      const interval = intervals[next];
      if (interval === undefined || (merged.to !== undefined && compareBytes(merged.to, interval.from) < 0)) break;
      merged = {
        from: compareBytes(interval.from, merged.from) < 0 ? interval.from : merged.from,
        to: laterEnd(merged.to, interval.to),
      };
    }
    intervals.splice(first, next - first, merged);
  }

  addAll(others: KeyIntervals): void {
    for (const { from, to } of others.intervals) this.add(from, to);
  }

  has(key: Bytes): boolean {
    const interval = this.intervals[this.firstNotBefore(key)];
    if (interval === undefined || compareBytes(interval.from, key) > 0) return false;
    return interval.to === undefined || compareBytes(key, interval.to) < 0;
  }

  /** Index of the first interval that does not end before this key. */
  private firstNotBefore(key: Bytes): number {
    const { intervals } = this;
    let low = 0;
    let high = intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const end = intervals[middle]?.to;
      if (end !== undefined && compareBytes(end, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function laterEnd(a: Bytes | undefined, b: Bytes | undefined): Bytes | undefined {
  if (a === undefined || b === undefined) return undefined;
  return compareBytes(a, b) < 0 ? b : a;
}
