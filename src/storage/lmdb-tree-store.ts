// The tree store over LMDB. Reads run here, on the main thread, against the memory map; everything that writes goes to
// one writer thread, so that neither pages nor fsyncs hold up the event loop. Layout: docs/decisions/0007-versions-by-revision.md.

import { closeSync, fsyncSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type {
  FlushBatch,
  HistoryRange,
  KeyRecord,
  KeyState,
  SessionRecord,
  StoreImage,
  StoreRange,
  TreeMeta,
  TreeStore,
  VersionWrite,
} from '../tree/store.js';
import { packedBytesMax, packVersion } from './flush-buffer.js';
import { GrowingBuffer } from './growing-buffer.js';
import { LmdbImage } from './lmdb-image.js';
import { openMeta, readCompacted, readSessions } from './lmdb-meta.js';
import { type LmdbTables, openTables } from './lmdb-tables.js';
import { readAt, readHistory, readNewest, readState, scan } from './lmdb-tree-reads.js';
import { LmdbWriterThread } from './lmdb-writer-thread.js';
import { encodeKeyRecord, encodeSession } from './tree-image.js';
import { localSpace, userSpace } from './tree-rows.js';
import type { OpenedTreeStore, TreeStoreOpener } from './tree-store-opener.js';

/** Versions packed between two turns of the event loop: well under a millisecond of work. */
const packSliceVersions = 500;
/** Memory of a flush that is kept for the next one; more is given back. */
const keptBytesMax = 48 * 2 ** 20;

type Done = (error: Error | null) => void;

export class LmdbTreeStoreOpener implements TreeStoreOpener {
  open(directory: string): LmdbTreeStore {
    return new LmdbTreeStore(directory);
  }

  remove(directory: string, done: Done): void {
    rm(directory, { recursive: true, force: true }).then(
      () => done(null),
      (error: Error) => done(error),
    );
  }
}

export class LmdbTreeStore implements OpenedTreeStore {
  private readonly directory: string;
  private readonly tables: LmdbTables;
  private readonly writer: LmdbWriterThread;
  private readonly packer = new GrowingBuffer(0);
  private current: TreeMeta;
  /** How far compaction has come in the tables. */
  private compactedThrough: Revision;
  private busy = false;
  private closing = false;

  constructor(directory: string) {
    this.directory = directory;
    this.tables = openTables(directory);
    try {
      this.current = openMeta(directory, this.tables);
      this.compactedThrough = readCompacted(this.tables);
      syncDirectory(directory);
    } catch (error) {
      void this.tables.root.close();
      throw error;
    }
    this.writer = new LmdbWriterThread(directory);
  }

  get meta(): TreeMeta {
    return this.current;
  }

  get(space: SpaceId, key: Bytes, at: Revision | undefined): KeyRecord | undefined {
    if (at === undefined || space !== userSpace) return readNewest(this.tables, space, key);
    return readAt(this.tables, key, at);
  }

  state(key: Bytes): KeyState | undefined {
    return readState(this.tables, key);
  }

  scan(space: SpaceId, range: StoreRange, visit: (record: KeyRecord) => boolean): void {
    scan(this.tables, space, range, visit);
  }

  history(range: HistoryRange, visit: (change: VersionWrite) => boolean): Revision {
    return readHistory(this.tables, this.compactedThrough, range, visit);
  }

  sessions(): readonly SessionRecord[] {
    return readSessions(this.tables);
  }

  flush(batch: FlushBatch, done: Done): void {
    this.begin();
    let bytes = 0;
    for (const version of batch.versions) bytes += packedBytesMax(version);
    this.packer.ensure(bytes);
    this.pack(batch, 0, done);
  }

  compactSlice(revision: Revision, versionsMax: number, done: (error: Error | null, more: boolean) => void): void {
    this.begin();
    this.writer.request({ type: 'compact', revision, rowsMax: versionsMax }, (error, answer) => {
      this.busy = false;
      this.tables.root.resetReadTxn();
      if (answer?.compacted !== undefined) this.compactedThrough = answer.compacted.through;
      done(error, answer?.compacted?.more ?? true);
    });
  }

  image(): StoreImage {
    return new LmdbImage(this.directory, this.tables);
  }

  digest(done: Parameters<TreeStore['digest']>[0]): void {
    this.writer.request({ type: 'digest' }, (error, answer) => done(error, answer?.digest ?? null));
  }

  writeImage(chunk: Bytes, done: Done): void {
    const copy = new Uint8Array(chunk);
    this.writer.request({ type: 'writeImage', chunk: copy }, done, [copy.buffer]);
  }

  finishImage(done: (error: Error | null, meta: TreeMeta | null) => void): void {
    this.writer.request({ type: 'finishImage' }, (error, answer) => {
      const meta = answer?.meta ?? null;
      this.tables.root.resetReadTxn();
      if (meta !== null) {
        this.current = meta;
        this.compactedThrough = meta.compactedRevision;
      }
      const incomplete = new Error(`Cannot finish the image of tree "${this.directory}": its end is missing`);
      done(error ?? (meta === null ? incomplete : null), meta);
    });
  }

  exportLocal(): Bytes {
    const buffer = new GrowingBuffer(4096);
    const all = { from: new Uint8Array(0), to: undefined, at: undefined };
    this.scan(localSpace, all, (record) => {
      encodeKeyRecord(buffer, record);
      return true;
    });
    return buffer.take();
  }

  importLocal(exported: Bytes, done: Done): void {
    this.writer.request({ type: 'importLocal', exported: new Uint8Array(exported) }, (error) => {
      this.tables.root.resetReadTxn();
      done(error);
    });
  }

  close(done: Done): void {
    this.closing = true;
    this.writer.close((error) => {
      this.tables.root.close().then(
        () => done(error),
        (closeError: Error) => done(error ?? closeError),
      );
    });
  }

  private begin(): void {
    if (this.busy) throw new Error('Cannot begin a flush or compaction: one is running');
    this.busy = true;
  }

  /** Packs a slice of the batch, then the rest in later turns of the event loop. */
  private pack(batch: FlushBatch, from: number, done: Done): void {
    if (this.closing) {
      this.busy = false;
      done(new StoreError('UNAVAILABLE', `Cannot flush tree "${this.directory}": it is being closed`));
      return;
    }
    const { versions } = batch;
    const to = Math.min(from + packSliceVersions, versions.length);
    for (let i = from; i < to; i++) packVersion(this.packer, versions[i] as VersionWrite);
    if (to === versions.length) this.sendFlush(batch, done);
    else setImmediate(() => this.pack(batch, to, done));
  }

  private sendFlush(batch: FlushBatch, done: Done): void {
    const { meta, sessionsEvicted } = batch;
    const sessions = new GrowingBuffer(4096);
    for (const session of batch.sessions) encodeSession(sessions, session);
    const packed = this.packer.release();
    const memory = packed.buffer as ArrayBuffer;
    const request = {
      type: 'flush',
      meta,
      memory,
      versionBytes: packed.length,
      sessions: sessions.view(),
      sessionsEvicted,
    } as const;
    const answered = (error: Error | null, answer: { readonly memory?: ArrayBuffer } | null): void => {
      if (answer?.memory !== undefined && answer.memory.byteLength <= keptBytesMax) this.packer.reuse(answer.memory);
      this.busy = false;
      if (error === null) {
        // The transaction of earlier reads of this turn would not show the flush.
        this.tables.root.resetReadTxn();
        this.current = meta;
      }
      done(error);
    };
    this.writer.request(request, answered, [memory]);
  }
}

/** Makes the new file's name durable. */
function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
