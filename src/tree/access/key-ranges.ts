// A set of keys made of ranges: sorted, merged where they overlap or touch, so that a range is in the set exactly when
// one of them holds it. Built once, then only asked.

import { type Bytes, compareBytes, equalBytes } from '../../shared/bytes.js';

/** `to` exclusive; undefined = to the last key. */
export interface KeyRange {
  readonly from: Bytes;
  readonly to: Bytes | undefined;
}

export class KeyRanges {
  private readonly ranges: readonly KeyRange[];

  constructor(ranges: readonly KeyRange[]) {
    this.ranges = merged(ranges);
  }

  /** How many are left after merging. */
  get size(): number {
    return this.ranges.length;
  }

  /** The range of the set that holds this key. */
  rangeAt(key: Bytes): KeyRange | undefined {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareBytes((this.ranges[middle] as KeyRange).from, key) <= 0) low = middle + 1;
      else high = middle;
    }
    const range = this.ranges[low - 1];
    return range !== undefined && endsAfter(range, key) ? range : undefined;
  }

  /** Every key of the range is in the set. True for a range that ends where it begins or before. */
  covers(from: Bytes, to: Bytes | undefined): boolean {
    if (to !== undefined && compareBytes(from, to) >= 0) return true;
    const range = this.rangeAt(from);
    if (range === undefined) return false;
    if (range.to === undefined) return true;
    return to !== undefined && compareBytes(to, range.to) <= 0;
  }
}

/** The range that holds exactly one key. */
export function rangeOfKey(key: Bytes): KeyRange {
  const to = new Uint8Array(key.length + 1);
  to.set(key);
  return { from: key, to };
}

function endsAfter(range: KeyRange, key: Bytes): boolean {
  return range.to === undefined || compareBytes(key, range.to) < 0;
}

function merged(ranges: readonly KeyRange[]): KeyRange[] {
  const sorted = [...ranges].sort((a, b) => compareBytes(a.from, b.from));
  const result: KeyRange[] = [];
  for (const range of sorted) {
    if (range.to !== undefined && compareBytes(range.from, range.to) >= 0) continue;
    const last = result[result.length - 1];
    const touches = last !== undefined && (endsAfter(last, range.from) || equalsEnd(last, range.from));
    if (last === undefined || !touches) result.push(range);
    else if (last.to !== undefined && (range.to === undefined || compareBytes(last.to, range.to) < 0)) {
      result[result.length - 1] = { from: last.from, to: range.to };
    }
  }
  return result;
}

function equalsEnd(range: KeyRange, key: Bytes): boolean {
  return range.to !== undefined && equalBytes(range.to, key);
}
