// Reads of the LMDB tables: newest and older versions of keys, ranges, history. Every row is verified; nothing returned
// shares memory with LMDB. A call sees one transaction and holds none when it returns.

import { type Bytes, copyPart, emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { HistoryRange, KeyRecord, KeyState, RetainedVersion, StoreRange, VersionWrite } from '../tree/store.js';
import { otherSpaces } from '../wire/replicated-spaces.js';
import { readCompacted } from './lmdb-meta.js';
import { copyRow, type LmdbTables, type ReadTransaction, readRow } from './lmdb-tables.js';
import {
  decodeHead,
  decodeVersion,
  type Head,
  headKey,
  isDeletion,
  keyOfVersion,
  newestOf,
  readLinks,
  readRevision,
  revisionBytes,
  rowKeyBytesMax,
  spaceEnd,
  userSpace,
  type VersionLinks,
  verify,
  versionStart,
} from './tree-rows.js';
import { noRevision } from './version-links.js';

export function readNewest(tables: LmdbTables, space: SpaceId, key: Bytes): KeyRecord | undefined {
  if (space === userSpace) {
    const row = lookUpHeadKey(tables, userSpace, key);
    const head = row === undefined ? undefined : readHead(tables, row);
    if (row === undefined || head === undefined || head.deleted) return undefined;
    return recordOf(tables, row, key, newestOf(head));
  }
  const row = lookUpHeadKey(tables, space, key);
  const stored = row === undefined ? undefined : copyRow(tables.records, row);
  if (row === undefined || stored === undefined) return undefined;
  verify('records', row, stored);
  return decodeVersion(key, stored, false);
}

/** The newest version of a user's key without its value. */
export function readState(tables: LmdbTables, key: Bytes): KeyState | undefined {
  const row = lookUpHeadKey(tables, userSpace, key);
  const head = row === undefined ? undefined : readHead(tables, row);
  return head === undefined || head.deleted ? undefined : stateOf(head);
}

/** The user record that was current at a revision. */
export function readAt(tables: LmdbTables, key: Bytes, at: Revision): KeyRecord | undefined {
  const row = lookUpHeadKey(tables, userSpace, key);
  const head = row === undefined ? undefined : readHead(tables, row);
  if (row === undefined || head === undefined) return undefined;
  const revision = revisionAt(tables, row, head, at);
  return revision === noRevision ? undefined : recordOf(tables, row, key, revision);
}

export function scan(
  tables: LmdbTables,
  space: SpaceId,
  range: StoreRange,
  visit: (record: KeyRecord) => boolean,
): Bytes | undefined {
  const start = headKey(space, range.from);
  const end = range.to === undefined ? spaceEnd(space) : headKey(space, range.to);
  if (space === userSpace) {
    return scanHeads(tables, { start, end }, range, visit);
  }
  let rows = 0;
  for (const { key, value } of tables.records.getRange({ start, end })) {
    if (range.rowsMax !== undefined && rows >= range.rowsMax) return keyOfHead(key);
    rows += 1;
    verify('records', key, value);
    if (!visit(decodeVersion(keyOfHead(key), value, range.keysOnly ?? false))) return undefined;
  }
  return undefined;
}

function scanHeads(
  tables: LmdbTables,
  rows: { readonly start: Bytes; readonly end: Bytes },
  { at, keysOnly = false, borrowed = false, rowsMax = Number.POSITIVE_INFINITY }: StoreRange,
  visit: (record: KeyRecord) => boolean,
): Bytes | undefined {
  let count = 0;
  for (const { key: row, value } of tables.heads.getRange(rows)) {
    if (count >= rowsMax) return keyOfHead(row);
    count += 1;
    verify('heads', row, value);
    const head = decodeHead(value);
    const newest = newestOf(head);
    if (at === undefined || newest <= at) {
      if (head.deleted) continue;
      const key = keyOfHead(row);
      if (!visit(keysOnly ? withoutValue(key, head) : recordOf(tables, row, key, newest, { borrowed })))
        return undefined;
      continue;
    }
    const revision = revisionAt(tables, row, head, at);
    if (revision === noRevision) continue;
    if (!visit(recordOf(tables, row, keyOfHead(row), revision, { keysOnly, borrowed }))) return undefined;
  }
  return undefined;
}

/**
 * Changes of revisions from `compacted` on, of which all puts are kept; those below it are no history any more, even where
 * they are current.
 */
export function readHistory(
  tables: LmdbTables,
  compacted: Revision,
  range: HistoryRange,
  visit: (change: VersionWrite) => boolean,
): Revision {
  const from = Math.max(range.from, compacted) as Revision;
  const rows = { start: versionStart(from), end: versionStart((range.to + 1) as Revision) };
  let count = 0;
  let last = 0;
  // Keys only: values that are not wanted may be large.
  for (const row of tables.versions.getKeys(rows)) {
    const modRevision = readRevision(row, 0);
    if (count >= range.rowsMax && modRevision !== last) return modRevision;
    count += 1;
    last = modRevision;
    const key = keyOfVersion(row);
    if (!range.wants(key)) continue;
    const stored = copyRow(tables.versions, row);
    if (stored === undefined) throw missing(row.subarray(revisionBytes), modRevision);
    verify('versions', row, stored);
    const record = isDeletion(stored) ? null : decodeVersion(key, stored, false);
    if (!visit({ space: userSpace, key, modRevision, record })) return modRevision;
  }
  return (range.to + 1) as Revision;
}

/** Revisions from `from` on, which is not compacted, at which a key changed; undefined when there are more than `max`. */
export function readKeyRevisions(
  tables: LmdbTables,
  key: Bytes,
  from: Revision,
  max: number,
): readonly Revision[] | undefined {
  const row = lookUpHeadKey(tables, userSpace, key);
  const head = row === undefined ? undefined : readHead(tables, row);
  if (row === undefined || head === undefined) return [];
  const revisions: Revision[] = [];
  for (let revision = newestOf(head); revision >= from && revision !== noRevision; ) {
    if (revisions.length === max) return undefined;
    revisions.push(revision);
    // Where compaction has come to, a deletion has no row any more.
    if (revision === from) break;
    revision = readVersionLinks(tables, row, revision, undefined).previous;
  }
  return revisions.reverse();
}

/** A verified head; undefined when the key has no version. */
export function readHead(tables: LmdbTables, row: Bytes, transaction?: ReadTransaction): Head | undefined {
  const stored = readRow(tables.heads, row, transaction);
  if (stored === undefined) return undefined;
  verify('heads', row, stored);
  return decodeHead(stored);
}

/** Revision of the record of a key that was current at `at`, which is not compacted; noRevision when there was none. */
export function revisionAt(
  tables: LmdbTables,
  row: Bytes,
  head: Head,
  at: Revision,
  transaction?: ReadTransaction,
): Revision {
  const { roots } = head.chain;
  let revision = newestOf(head);
  if (revision <= at) return head.deleted ? noRevision : revision;
  for (const root of roots) {
    if (root <= at) break;
    revision = root;
  }
  for (;;) {
    const { previous, jump, previousDeleted } = readVersionLinks(tables, row, revision, transaction);
    if (jump > at) revision = jump;
    else if (previous > at) revision = previous;
    else return previousDeleted ? noRevision : previous;
  }
}

function readVersionLinks(
  tables: LmdbTables,
  row: Bytes,
  revision: Revision,
  transaction: ReadTransaction | undefined,
): VersionLinks {
  const versionRow = tables.lookupKeys.version(revision, row);
  const stored = readRow(tables.versions, versionRow, transaction);
  if (stored === undefined) throw missing(row, revision);
  verify('versions', versionRow, stored);
  return readLinks(stored);
}

interface RecordOptions {
  readonly keysOnly?: boolean;
  /** The value may be in LMDB's memory and is valid until the next read. */
  readonly borrowed?: boolean;
  readonly transaction?: ReadTransaction;
}

/** The record of a version that is known to be there. */
function recordOf(
  tables: LmdbTables,
  row: Bytes,
  key: Bytes,
  revision: Revision,
  { keysOnly = false, borrowed = false, transaction }: RecordOptions = {},
): KeyRecord {
  const versionRow = tables.lookupKeys.version(revision, row);
  const stored = (keysOnly || borrowed ? readRow : copyRow)(tables.versions, versionRow, transaction);
  if (stored === undefined) throw missing(row, revision);
  verify('versions', versionRow, stored);
  return decodeVersion(key, stored, keysOnly);
}

/** Every current record of the replicated spaces, in order, as one transaction sees them. */
export function* currentRecords(
  tables: LmdbTables,
  transaction: ReadTransaction,
): Generator<{ readonly space: SpaceId; readonly record: KeyRecord }, undefined, undefined> {
  const heads = { start: Buffer.from([userSpace]), end: spaceEnd(userSpace), transaction };
  for (const { key: row, value } of tables.heads.getRange(heads)) {
    verify('heads', row, value);
    const head = decodeHead(value);
    if (head.deleted) continue;
    yield { space: userSpace, record: recordOf(tables, row, keyOfHead(row), newestOf(head), { transaction }) };
  }
  yield* otherRecords(tables, transaction);
  return undefined;
}

/** Every record of the replicated spaces without a past, in order. */
export function* otherRecords(
  tables: LmdbTables,
  transaction: ReadTransaction,
): Generator<{ readonly space: SpaceId; readonly record: KeyRecord }, undefined, undefined> {
  for (const space of otherSpaces) {
    for (const record of recordsOf(tables, space, transaction)) yield { space, record };
  }
  return undefined;
}

/** Every record of one of them, in order. */
export function* recordsOf(
  tables: LmdbTables,
  space: SpaceId,
  transaction: ReadTransaction,
): Generator<KeyRecord, undefined, undefined> {
  const rows = { start: Buffer.from([space]), end: spaceEnd(space), transaction };
  for (const { key: row, value } of tables.records.getRange(rows)) {
    verify('records', row, value);
    yield decodeVersion(keyOfHead(row), value, false);
  }
  return undefined;
}

/** Versions that retainedVersions leaves out at a stretch. */
const leftOutMax = 1000;

/**
 * The retained versions of user keys by revision, then key, as one transaction sees them; null after a stretch of others,
 * so that the caller may do something else.
 */
export function* retainedVersions(
  tables: LmdbTables,
  compactedRevision: Revision,
  transaction: ReadTransaction,
): Generator<RetainedVersion | null, undefined, undefined> {
  // When compaction has not come this far yet, some of what is at or below the compacted revision is to be left out.
  const behind = readCompacted(tables, transaction) < compactedRevision;
  let leftOut = 0;
  for (const { key: row, value } of tables.versions.getRange({ start: versionStart(noRevision), transaction })) {
    verify('versions', row, value);
    const modRevision = readRevision(row, 0);
    const headRow = row.subarray(revisionBytes);
    if (behind && modRevision <= compactedRevision) {
      const head = readHead(tables, headRow, transaction);
      if (head === undefined) throw missing(headRow, modRevision);
      const isKept = isDeletion(value)
        ? modRevision === compactedRevision
        : revisionAt(tables, headRow, head, compactedRevision, transaction) === modRevision;
      if (!isKept) {
        leftOut += 1;
        if (leftOut % leftOutMax === 0) yield null;
        continue;
      }
    }
    const key = keyOfVersion(row);
    yield { key, modRevision, record: isDeletion(value) ? null : decodeVersion(key, value, false) };
  }
  return undefined;
}

function missing(row: Bytes, revision: Revision): StoreError {
  const shown = JSON.stringify(Buffer.from(keyOfHead(row)).toString('latin1'));
  return new StoreError('CORRUPT', `Cannot read key ${shown} of the tree: its version ${revision} is missing`);
}

/** In memory of its own. */
function keyOfHead(row: Bytes): Bytes {
  return copyPart(row, 1, row.length);
}

function withoutValue(key: Bytes, head: Head): KeyRecord {
  const { createRevision, version, lease } = head;
  return { key, value: emptyBytes, createRevision, modRevision: newestOf(head), version, lease };
}

function stateOf(head: Head): KeyState {
  const { createRevision, version, lease } = head;
  return { createRevision, modRevision: newestOf(head), version, lease };
}

/** Key of the head of a key; undefined when it is longer than any that LMDB takes, so that there is none. */
function lookUpHeadKey(tables: LmdbTables, space: SpaceId, key: Bytes): Bytes | undefined {
  return key.length + 1 + revisionBytes > rowKeyBytesMax ? undefined : tables.lookupKeys.head(space, key);
}
