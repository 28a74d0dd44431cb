// What a selection asks for, judged record by record: its filters and its order. Reads nothing itself.

import { compareBytes, emptyBytes } from '../shared/bytes.js';
import type { KeyRecord } from './store.js';
import type { RangeSelection } from './transaction.js';

/** The filters by revision hold. */
export function passesFilters(record: KeyRecord, selection: RangeSelection): boolean {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = selection;
  return (
    (minModRevision === undefined || record.modRevision >= minModRevision) &&
    (maxModRevision === undefined || record.modRevision <= maxModRevision) &&
    (minCreateRevision === undefined || record.createRevision >= minCreateRevision) &&
    (maxCreateRevision === undefined || record.createRevision <= maxCreateRevision)
  );
}

/** The records come in another order than that of their keys. */
export function isSorted({ sortTarget, descending }: RangeSelection): boolean {
  return sortTarget !== 'key' || descending;
}

/** Order of a selection; 0: as their keys. */
export function recordOrder({ sortTarget, descending }: RangeSelection): (a: KeyRecord, b: KeyRecord) => number {
  const ascending = orders[sortTarget];
  return descending ? (a, b) => ascending(b, a) : ascending;
}

const orders: Readonly<Record<RangeSelection['sortTarget'], (a: KeyRecord, b: KeyRecord) => number>> = {
  key: (a, b) => compareBytes(a.key, b.key),
  version: (a, b) => a.version - b.version,
  create: (a, b) => a.createRevision - b.createRevision,
  mod: (a, b) => a.modRevision - b.modRevision,
  value: (a, b) => compareBytes(a.value, b.value),
};

export function withoutValue(record: KeyRecord): KeyRecord {
  const { key, createRevision, modRevision, version, lease } = record;
  return { key, value: emptyBytes, createRevision, modRevision, version, lease };
}
