// Reads of the LMDB tables: newest and older versions of keys, ranges, history. Every row is verified; nothing returned
// shares memory with LMDB. A call sees one transaction and holds none when it returns.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { HistoryRange, KeyRecord, StoreRange, VersionWrite } from '../tree/store.js';
import { sameKey } from './flush-buffer.js';
import { copyRow, type LmdbTables } from './lmdb-tables.js';
import {
  currentKey,
  decodeStoredRecord,
  decodeUndo,
  indexKey,
  indexPrefix,
  indexStart,
  keyOfIndex,
  readRevision,
  revisionBytes,
  revisionOfIndex,
  rowKeyBytesMax,
  spaceEnd,
  type UndoRow,
  undoKey,
  userSpace,
  verify,
} from './tree-rows.js';

export function readNewest(tables: LmdbTables, space: SpaceId, key: Bytes): KeyRecord | undefined {
  // LMDB takes no longer key, so there is none.
  if (key.length >= rowKeyBytesMax) return undefined;
  const rowKey = tables.lookupKey.of(space, key);
  const row = copyRow(tables.current, rowKey);
  if (row === undefined) return undefined;
  verify('current', rowKey, row);
  return decodeStoredRecord(key, row, false);
}

/** The user record that was current at a revision. */
export function readAt(tables: LmdbTables, key: Bytes, at: Revision): KeyRecord | undefined {
  const start = indexKey(key, (at + 1) as Revision);
  const prefixLength = start.length - revisionBytes;
  for (const row of tables.index.getKeys({ start, limit: 1 })) {
    if (row.length !== start.length || start.compare(row, 0, prefixLength, 0, prefixLength) !== 0) break;
    return recordBefore(tables, key, revisionOfIndex(row), at);
  }
  const record = readNewest(tables, userSpace, key);
  return record !== undefined && record.modRevision <= at ? record : undefined;
}

/**
 * What the change at `revision`, the first after `at` that replaced a record, replaced: the record at `at`, unless the key
 * came to be after it.
 */
function recordBefore(tables: LmdbTables, key: Bytes, revision: Revision, at: Revision): KeyRecord | undefined {
  const before = readUndo(tables, key, revision)?.before;
  if (before === undefined) return undefined;
  const rowKey = currentKey(userSpace, key);
  verify('undo', rowKey, before);
  const record = decodeStoredRecord(rowKey.subarray(1), before, false);
  return record.modRevision <= at ? record : undefined;
}

function readUndo(tables: LmdbTables, key: Bytes, revision: Revision): UndoRow | undefined {
  const row = undoKey(revision, key);
  const value = tables.undo.getBinary(row);
  return value === undefined ? undefined : decodeUndo(row, value);
}

export function scanNewest(
  tables: LmdbTables,
  space: SpaceId,
  range: StoreRange,
  visit: (record: KeyRecord) => boolean,
): void {
  const start = currentKey(space, range.from);
  const end = range.to === undefined ? spaceEnd(space) : currentKey(space, range.to);
  for (const { key, value } of tables.current.getRange({ start, end })) {
    verify('current', key, value);
    if (!visit(decodeStoredRecord(key.subarray(1), value, range.keysOnly ?? false))) return;
  }
}

/** Walks `current` and, beside it, what `index` knows of replaced and deleted records. */
export function scanAt(
  tables: LmdbTables,
  range: StoreRange,
  at: Revision,
  visit: (record: KeyRecord) => boolean,
): void {
  const replaced = replacedKeys(tables, range, at);
  let next = replaced.next();
  let stopped = false;
  const take = (record: KeyRecord | undefined): boolean => {
    if (record !== undefined && !visit(record)) stopped = true;
    return !stopped;
  };
  scanNewest(tables, userSpace, range, (record) => {
    while (!next.done) {
      const { key, revision } = next.value;
      const order = Buffer.compare(key, record.key);
      if (order > 0) break;
      if (!take(recordBefore(tables, key, revision, at))) return false;
      next = replaced.next();
      if (order === 0) return true;
    }
    return take(record.modRevision <= at ? record : undefined);
  });
  while (!stopped && !next.done) {
    take(recordBefore(tables, next.value.key, next.value.revision, at));
    next = replaced.next();
  }
  replaced.return(undefined);
}

interface ReplacedKey {
  readonly key: Buffer;
  /** First change after `at` that replaced a record of it. */
  readonly revision: Revision;
}

/** Keys of the range whose record was replaced or deleted after `at`, in order. */
function* replacedKeys(
  tables: LmdbTables,
  range: StoreRange,
  at: Revision,
): Generator<ReplacedKey, undefined, undefined> {
  const start = indexStart(range.from);
  const last: { prefix: Buffer | undefined } = { prefix: undefined };
  // An empty start would begin behind rows of keys whose first byte is 0.
  const bounds = start.length === 0 ? { start: Buffer.from([0]) } : { start };
  const rows = range.to === undefined ? bounds : { ...bounds, end: indexPrefix(range.to) };
  for (const row of tables.index.getKeys(rows)) {
    const revision = revisionOfIndex(row);
    if (revision <= at) continue;
    const prefix = row.subarray(0, row.length - revisionBytes);
    if (sameKey(last.prefix, prefix)) continue;
    last.prefix = prefix;
    yield { key: keyOfIndex(row), revision };
  }
  return undefined;
}

export function readHistory(
  tables: LmdbTables,
  range: HistoryRange,
  visit: (change: VersionWrite) => boolean,
): Revision {
  const start = undoKey(range.from, Buffer.alloc(0));
  const end = undoKey((range.to + 1) as Revision, Buffer.alloc(0));
  let rows = 0;
  let last = 0;
  for (const row of tables.undo.getKeys({ start, end })) {
    const revision = readRevision(row, 0);
    if (rows >= range.rowsMax && revision !== last) return revision;
    rows += 1;
    last = revision;
    const key = row.subarray(revisionBytes);
    if (range.wants(key) && !visit(changeAt(tables, key, revision))) return revision;
  }
  return (range.to + 1) as Revision;
}

function changeAt(tables: LmdbTables, key: Buffer, modRevision: Revision): VersionWrite {
  const deleted = readUndo(tables, key, modRevision)?.deleted ?? false;
  const record = deleted ? null : (readAt(tables, key, modRevision) ?? null);
  return { space: userSpace, key, modRevision, record };
}
