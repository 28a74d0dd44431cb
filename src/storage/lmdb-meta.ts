// The rows of the meta table and the keys of sessions: which format this is, whether the tree is whole, TreeMeta, and how
// far compaction has come.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { type ClientId, type Revision, revisionFirst, zxidZero } from '../shared/ids.js';
import type { SessionRecord, TreeMeta } from '../tree/store.js';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';
import type { LmdbTables, ReadTransaction } from './lmdb-tables.js';
import { decodeMeta, decodeSession, encodeMeta } from './tree-image.js';
import { checksumBytes, readRevision, revisionBytes, seal, verify, writeRevision } from './tree-rows.js';

/** 'incomplete': an image is being loaded, the tree is not to be used. */
export type MetaState = 'complete' | 'incomplete';

const formatVersion = 1;
export const metaKey = Buffer.from('tree');
export const compactedKey = Buffer.from('compacted');

const emptyMeta: TreeMeta = {
  appliedZxid: zxidZero,
  revision: revisionFirst,
  compactedRevision: 0 as Revision,
  sessionsEvictedThrough: zxidZero,
};

export function encodeMetaRow(state: MetaState, meta: TreeMeta): Buffer {
  const buffer = new GrowingBuffer(64);
  buffer.uint32(0);
  buffer.varint(formatVersion);
  buffer.byte(state === 'complete' ? 1 : 0);
  encodeMeta(buffer, meta);
  return seal(metaKey, buffer.take());
}

/** Throws CORRUPT or UNSUPPORTED, naming the directory, when the tree may not be used. */
export function decodeMetaRow(directory: string, row: Bytes): TreeMeta {
  verify('meta', metaKey, row);
  const cursor = new ByteCursor(row, checksumBytes);
  const version = cursor.varint();
  if (version !== formatVersion) {
    const message = `Cannot open tree "${directory}": its format version is ${version}, expected ${formatVersion}`;
    throw new StoreError('UNSUPPORTED', message);
  }
  if (cursor.byte() !== 1) {
    throw new StoreError('CORRUPT', `Cannot open tree "${directory}": the loading of its image was not finished`);
  }
  return decodeMeta(cursor);
}

/** Reads the meta row; a tree without one is new, unless one must exist, and gets its first, durably. */
export function openMeta(
  directory: string,
  tables: LmdbTables,
  { existing }: { readonly existing: boolean },
): TreeMeta {
  const row = tables.meta.getBinary(metaKey);
  if (row !== undefined) return decodeMetaRow(directory, row);
  if (existing) throw new StoreError('CORRUPT', `Cannot open tree "${directory}": its meta row is missing`);
  if ([...tables.heads.getKeys({ limit: 1 })].length > 0) {
    throw new StoreError('CORRUPT', `Cannot open tree "${directory}": it has records and no meta row`);
  }
  tables.root.transactionSync(() => void tables.meta.put(metaKey, encodeMetaRow('complete', emptyMeta)));
  return emptyMeta;
}

export function encodeCompacted(through: Revision): Buffer {
  const row = Buffer.alloc(checksumBytes + revisionBytes);
  writeRevision(row, checksumBytes, through);
  return seal(compactedKey, row);
}

/** Versions that were replaced at or below this revision have been removed; it may be behind the compacted revision. */
export function readCompacted(tables: LmdbTables, transaction?: ReadTransaction): Revision {
  const row = tables.meta.get(compactedKey, transaction === undefined ? {} : { transaction });
  if (row === undefined) return 0 as Revision;
  verify('meta', compactedKey, row);
  return readRevision(row, checksumBytes);
}

export function sessionKey(client: ClientId): Buffer {
  const key = Buffer.allocUnsafe(8);
  writeRevision(key, 0, client);
  return key;
}

/** Meta as a read transaction sees it. */
export function lookUpMeta(directory: string, tables: LmdbTables, transaction: ReadTransaction): TreeMeta {
  const row = tables.meta.get(metaKey, { transaction });
  if (row === undefined) throw new StoreError('CORRUPT', `Cannot read tree "${directory}": its meta row is missing`);
  return decodeMetaRow(directory, row);
}

/** All sessions, verified. */
export function readSessions(tables: LmdbTables, transaction?: ReadTransaction): SessionRecord[] {
  const sessions: SessionRecord[] = [];
  const range = { start: Buffer.from([0]), ...(transaction === undefined ? {} : { transaction }) };
  for (const { key, value } of tables.sessions.getRange(range)) {
    verify('sessions', key, value);
    sessions.push(decodeSession(new ByteCursor(value, checksumBytes)));
  }
  return sessions;
}
