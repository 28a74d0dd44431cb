// The writing half of the LMDB tree store; runs on the writer thread and blocks it at will. Each call is one durable
// transaction: all of it is on disk when it returns, or an error is thrown and nothing of it is.

import type { ClientId, Revision } from '../shared/ids.js';
import type { TreeMeta } from '../tree/store.js';
import { PackedVersions, sameKey } from './flush-buffer.js';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';
import { encodeMetaRow, type MetaState, metaKey, sessionKey } from './lmdb-meta.js';
import { type LmdbTables, readRow } from './lmdb-tables.js';
import { decodeKeyRecord, decodeSession, encodeSession, ImageDecoder, type ImageItem } from './tree-image.js';
import {
  currentKey,
  encodeStoredRecord,
  indexKey,
  localSpace,
  readRevision,
  revisionBytes,
  seal,
  sealUndo,
  spaceEnd,
  undoFlags,
  undoKey,
  userSpace,
} from './tree-rows.js';

const nothing = Buffer.alloc(0);
/** Replaced records wait in memory to be written in order of revision, at most about this many bytes of them. */
const pendingUndoBytesMax = 16 * 2 ** 20;

export interface FlushInput {
  readonly meta: TreeMeta;
  /** PackedVersions. */
  readonly versions: Buffer;
  /** Encoded sessions, one after the other. */
  readonly sessions: Buffer;
  readonly sessionsEvicted: readonly ClientId[];
}

export class LmdbTreeWriter {
  private readonly tables: LmdbTables;
  private readonly undo: PendingUndo;
  private readonly scratch = new GrowingBuffer(64 * 1024);
  private decoder: ImageDecoder | null = null;
  private imageMeta: TreeMeta | null = null;

  constructor(tables: LmdbTables) {
    this.tables = tables;
    this.undo = new PendingUndo(tables);
  }

  flush(input: FlushInput): void {
    this.tables.root.transactionSync(() => {
      this.writeVersions(new PackedVersions(input.versions));
      this.writeSessions(new ByteCursor(input.sessions));
      for (const client of input.sessionsEvicted) void this.tables.sessions.remove(sessionKey(client));
      this.writeMeta('complete', input.meta);
    });
  }

  /** Removes up to rowsMax undo rows at or below `revision`; says whether more are left. */
  compact(revision: Revision, rowsMax: number): boolean {
    const { root, undo, index } = this.tables;
    const end = undoKey((revision + 1) as Revision, nothing);
    return root.transactionSync(() => {
      const rows = [...undo.getKeys({ start: undoKey(0 as Revision, nothing), end, limit: rowsMax })];
      const indexed = rows.map((row) => indexKey(row.subarray(revisionBytes), readRevision(row, 0)));
      for (const row of rows) void undo.remove(row);
      // In key order neighbours share a page.
      for (const row of indexed.sort(Buffer.compare)) void index.remove(row);
      return rows.length === rowsMax;
    });
  }

  /** Adds one chunk of an image to an empty store; until `finishImage` the store counts as incomplete. */
  writeImage(chunk: Buffer): void {
    this.decoder ??= new ImageDecoder();
    const decoder = this.decoder;
    this.tables.root.transactionSync(() => {
      decoder.read(chunk, (item) => this.writeImageItem(item));
      this.undo.write();
      if (this.imageMeta !== null) this.writeMeta('incomplete', this.imageMeta);
    });
  }

  finishImage(): TreeMeta | null {
    const meta = this.imageMeta;
    if (meta === null || this.decoder === null || !this.decoder.complete) return null;
    this.tables.root.transactionSync(() => this.writeMeta('complete', meta));
    this.decoder = null;
    this.imageMeta = null;
    return meta;
  }

  importLocal(exported: Buffer): void {
    const { root, current } = this.tables;
    root.transactionSync(() => {
      for (const row of [...current.getKeys({ start: Buffer.from([localSpace]), end: spaceEnd(localSpace) })]) {
        void current.remove(row);
      }
      const cursor = new ByteCursor(exported);
      while (!cursor.done) this.writeRecord({ type: 'record', space: localSpace, record: decodeKeyRecord(cursor) });
    });
  }

  /** Versions come by key; the newest of each goes to `current`, what each replaces to `undo`. */
  private writeVersions(versions: PackedVersions): void {
    const { current } = this.tables;
    let rowKey: Buffer | undefined;
    let newest: Buffer | undefined;
    for (let version = versions.next(); version !== undefined; version = versions.next()) {
      const { stored } = version;
      if (stored !== undefined) seal(version.rowKey, stored);
      let before = newest;
      if (rowKey === undefined || !sameKey(rowKey, version.rowKey)) {
        if (rowKey !== undefined) this.writeCurrent(rowKey, newest);
        rowKey = version.rowKey;
        before = version.space === userSpace ? readRow(current, rowKey) : undefined;
      }
      if (version.space === userSpace) this.undo.add(version.modRevision, rowKey, stored === undefined, before);
      newest = stored;
    }
    if (rowKey !== undefined) this.writeCurrent(rowKey, newest);
    this.undo.write();
  }

  private writeCurrent(rowKey: Buffer, stored: Buffer | undefined): void {
    if (stored === undefined) void this.tables.current.remove(rowKey);
    else void this.tables.current.put(rowKey, stored);
  }

  private writeSessions(cursor: ByteCursor): void {
    while (!cursor.done) {
      const start = cursor.at;
      const { client } = decodeSession(cursor);
      this.putSession(client, Buffer.from(cursor.source.subarray(start, cursor.at)));
    }
  }

  private putSession(client: ClientId, encoded: Buffer): void {
    const row = Buffer.allocUnsafe(4 + encoded.length);
    encoded.copy(row, 4);
    const key = sessionKey(client);
    void this.tables.sessions.put(key, seal(key, row));
  }

  private writeMeta(state: MetaState, meta: TreeMeta): void {
    void this.tables.meta.put(metaKey, encodeMetaRow(state, meta));
  }

  private writeImageItem(item: ImageItem): void {
    switch (item.type) {
      case 'header':
        this.imageMeta = item.meta;
        return;
      case 'record':
        this.writeRecord(item);
        return;
      case 'session':
        this.scratch.clear();
        encodeSession(this.scratch, item.session);
        this.putSession(item.session.client, this.scratch.view());
        return;
      case 'change': {
        const { revision, key, deleted, before } = item.change;
        const rowKey = currentKey(userSpace, key);
        this.undo.add(revision, rowKey, deleted, before === null ? undefined : this.stored(rowKey, before));
        return;
      }
      case 'end':
    }
  }

  private writeRecord({ space, record }: Extract<ImageItem, { type: 'record' }>): void {
    const rowKey = currentKey(space, record.key);
    void this.tables.current.put(rowKey, this.stored(rowKey, record));
  }

  /** Valid until the next call. */
  private stored(rowKey: Buffer, record: Parameters<typeof encodeStoredRecord>[1]): Buffer {
    this.scratch.clear();
    encodeStoredRecord(this.scratch, record);
    return seal(rowKey, this.scratch.view());
  }
}

/** Changes come by key and are written by revision, so that `undo` only ever grows at its end. */
class PendingUndo {
  private readonly tables: LmdbTables;
  private readonly values = new GrowingBuffer(256 * 1024);
  private readonly pending: { readonly row: Buffer; readonly from: number; readonly to: number }[] = [];

  constructor(tables: LmdbTables) {
    this.tables = tables;
  }

  /** `before` is copied. Writes the index row at once: those are in key order already. */
  add(revision: Revision, rowKey: Buffer, deleted: boolean, before: Buffer | undefined): void {
    const key = rowKey.subarray(1);
    const from = this.values.length;
    this.values.uint32(0);
    this.values.byte((deleted ? undoFlags.deleted : 0) | (before === undefined ? 0 : undoFlags.before));
    if (before !== undefined) {
      this.values.bytes(before);
      void this.tables.index.put(indexKey(key, revision), nothing);
    }
    this.pending.push({ row: undoKey(revision, key), from, to: this.values.length });
    if (this.values.length > pendingUndoBytesMax) this.write();
  }

  write(): void {
    const values = this.values.view();
    this.pending.sort((a, b) => Buffer.compare(a.row, b.row));
    for (const { row, from, to } of this.pending) {
      const value = values.subarray(from, to);
      sealUndo(row, value);
      void this.tables.undo.put(row, value);
    }
    this.pending.length = 0;
    this.values.clear();
  }
}
