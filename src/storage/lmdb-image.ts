// Reads an image of an LMDB tree, chunk by chunk, over one read transaction: header, current records, retained changes,
// sessions. Verifies every row on the way. The transaction pins pages: whoever opens an image closes it soon.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, StoreImage, TreeMeta } from '../tree/store.js';
import { lookUpMeta, readSessions } from './lmdb-meta.js';
import type { LmdbTables } from './lmdb-tables.js';
import { ImageEncoder, type ImageItem } from './tree-image.js';
import {
  currentKey,
  decodeStoredRecord,
  decodeUndo,
  localSpace,
  readRevision,
  revisionBytes,
  undoKey,
  userSpace,
  verify,
} from './tree-rows.js';

type Transaction = ReturnType<LmdbTables['root']['useReadTransaction']>;
type Item = Exclude<ImageItem, { type: 'end' }>;

export class LmdbImage implements StoreImage {
  readonly meta: TreeMeta;
  private readonly transaction: Transaction;
  private readonly items: Generator<Item, undefined, undefined>;
  private encoder: ImageEncoder | null = null;
  private state: 'reading' | 'ended' | 'closed' = 'reading';

  constructor(directory: string, tables: LmdbTables) {
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    this.meta = lookUpMeta(directory, tables, this.transaction);
    this.items = imageItems(tables, this.meta, this.transaction);
  }

  next(bytesMax: number): Bytes | null {
    if (this.state !== 'reading') return null;
    this.encoder ??= new ImageEncoder(bytesMax);
    const encoder = this.encoder;
    while (encoder.length < bytesMax) {
      const next = this.items.next();
      if (next.done === true) {
        encoder.end();
        this.state = 'ended';
        break;
      }
      encoder.add(next.value);
    }
    return encoder.take();
  }

  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.items.return(undefined);
    this.transaction.done();
  }
}

function* imageItems(
  tables: LmdbTables,
  meta: TreeMeta,
  transaction: Transaction,
): Generator<Item, undefined, undefined> {
  yield { type: 'header', meta };
  const current = { start: Buffer.from([0]), end: Buffer.from([localSpace]), transaction };
  for (const { key, value } of tables.current.getRange(current)) {
    verify('current', key, value);
    yield { type: 'record', space: key[0] as SpaceId, record: decodeStoredRecord(key.subarray(1), value, false) };
  }
  const retained = { start: undoKey((meta.compactedRevision + 1) as Revision, Buffer.alloc(0)), transaction };
  for (const { key: row, value } of tables.undo.getRange(retained)) {
    const { deleted, before } = decodeUndo(row, value);
    const key = row.subarray(revisionBytes);
    const record = before === undefined ? null : recordOf(key, before);
    yield { type: 'change', change: { revision: readRevision(row, 0), key, deleted, before: record } };
  }
  for (const session of readSessions(tables, transaction)) yield { type: 'session', session };
  return undefined;
}

function recordOf(key: Buffer, stored: Bytes): KeyRecord {
  verify('undo', currentKey(userSpace, key), stored);
  return decodeStoredRecord(key, stored, false);
}
