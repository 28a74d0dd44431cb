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
  StoreContents,
  StoreImage,
  StoreRange,
  StoreUsage,
  TreeMeta,
  TreeStore,
  VersionWrite,
} from '../tree/store.js';
import { packedBytesMax, packVersion } from './flush-buffer.js';
import { GrowingBuffer } from './growing-buffer.js';
import { LmdbContents } from './lmdb-contents.js';
import { LmdbImage } from './lmdb-image.js';
import { openMeta, readCompacted, readSessions } from './lmdb-meta.js';
import { probeTree } from './lmdb-probe.js';
import { isLmdbDamage, type LmdbTables, openTables, tableUsage } from './lmdb-tables.js';
import { readAt, readHistory, readKeyRevisions, readNewest, readState, scan } from './lmdb-tree-reads.js';
import { LmdbWriterThread } from './lmdb-writer-thread.js';
import { encodeKeyRecord, encodeSession } from './tree-image.js';
import { localSpace, userSpace } from './tree-rows.js';
import type { OpenedTreeStore, ScrubPosition, ScrubSlice, TreeStoreOpener } from './tree-store-opener.js';

/** Versions packed between two turns of the event loop: well under a millisecond of work. */
const packSliceVersions = 500;
/** Memory of a flush that is kept for the next one; more is given back. */
const keptBytesMax = 48 * 2 ** 20;

type Done = (error: Error | null) => void;

/** Who is told what no caller of the store can do anything about. After either the store is of no use. */
export interface TreeFaults {
  /** A row or page that was read is damaged. Called before the read fails. */
  damaged(error: Error): void;
  /** The writer is gone, or a write failed for another reason than a full disk. */
  failed(error: Error): void;
  /** A flush took so long to become durable. */
  flushed?(elapsedMs: number): void;
}

const nobody: TreeFaults = { damaged: () => undefined, failed: () => undefined };

export class LmdbTreeStoreOpener implements TreeStoreOpener {
  private readonly faults: TreeFaults;

  constructor(faults: TreeFaults = nobody) {
    this.faults = faults;
  }

  open(directory: string, { existing }: { readonly existing: boolean } = { existing: false }): LmdbTreeStore {
    return new LmdbTreeStore(directory, existing, this.faults);
  }

  probe(directory: string, done: Done): void {
    probeTree(directory, done);
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
  private readonly faults: TreeFaults;
  private readonly tables: LmdbTables;
  private readonly writer: LmdbWriterThread;
  private readonly packer = new GrowingBuffer(0);
  private readonly openContents = new Set<LmdbContents>();
  private current: TreeMeta;
  /** How far compaction has come in the tables. */
  private compactedThrough: Revision;
  private busy = false;
  private closing = false;

  constructor(directory: string, existing: boolean, faults: TreeFaults) {
    this.directory = directory;
    this.faults = faults;
    try {
      this.tables = openTables(directory, { existing });
    } catch (error) {
      throw this.asDamage(error);
    }
    try {
      this.current = openMeta(directory, this.tables, { existing });
      this.compactedThrough = readCompacted(this.tables);
      syncDirectory(directory);
    } catch (error) {
      void this.tables.root.close();
      throw this.asDamage(error);
    }
    this.writer = new LmdbWriterThread(directory, faults);
  }

  get meta(): TreeMeta {
    return this.current;
  }

  get(space: SpaceId, key: Bytes, at: Revision | undefined): KeyRecord | undefined {
    try {
      if (at === undefined || space !== userSpace) return readNewest(this.tables, space, key);
      return readAt(this.tables, key, at);
    } catch (error) {
      throw this.judged(error);
    }
  }

  state(key: Bytes): KeyState | undefined {
    try {
      return readState(this.tables, key);
    } catch (error) {
      throw this.judged(error);
    }
  }

  scan(space: SpaceId, range: StoreRange, visit: (record: KeyRecord) => boolean): Bytes | undefined {
    try {
      return scan(this.tables, space, range, visit);
    } catch (error) {
      throw this.judged(error);
    }
  }

  history(range: HistoryRange, visit: (change: VersionWrite) => boolean): Revision {
    try {
      return readHistory(this.tables, this.compactedThrough, range, visit);
    } catch (error) {
      throw this.judged(error);
    }
  }

  keyRevisions(key: Bytes, from: Revision, max: number): readonly Revision[] | undefined {
    try {
      return readKeyRevisions(this.tables, key, from, max);
    } catch (error) {
      throw this.judged(error);
    }
  }

  sessions(): readonly SessionRecord[] {
    try {
      return readSessions(this.tables);
    } catch (error) {
      throw this.judged(error);
    }
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
    try {
      return new LmdbImage(this.directory, this.tables, (error) => this.judged(error));
    } catch (error) {
      throw this.judged(error);
    }
  }

  contents(): StoreContents {
    try {
      const contents = new LmdbContents(this.directory, this.tables, {
        judged: (error) => this.judged(error),
        onClose: (closed) => this.openContents.delete(closed),
      });
      this.openContents.add(contents);
      return contents;
    } catch (error) {
      throw this.judged(error);
    }
  }

  digest(done: Parameters<TreeStore['digest']>[0]): void {
    this.writer.request({ type: 'digest' }, (error, answer) => done(error, answer?.digest ?? null));
  }

  hashVersions(through: Revision, done: Parameters<TreeStore['hashVersions']>[1]): void {
    this.writer.request({ type: 'hashVersions', through }, (error, answer) =>
      done(error, answer?.versionsHash ?? null),
    );
  }

  usage(): StoreUsage {
    return tableUsage(this.tables);
  }

  scrubSlice(from: ScrubPosition | null, done: (error: Error | null, slice: ScrubSlice | null) => void): void {
    this.writer.request({ type: 'scrub', from }, (error, answer) => done(error, answer?.scrubbed ?? null));
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
    for (const contents of this.openContents) contents.close();
    this.writer.close((error) => {
      this.tables.root.close().then(
        () => done(error),
        (closeError: Error) => done(error ?? closeError),
      );
    });
  }

  /** Tells of damage before the read that met it fails. */
  private judged(error: unknown): unknown {
    const found = this.asDamage(error);
    if (found instanceof StoreError && found.code === 'CORRUPT') this.faults.damaged(found);
    return found;
  }

  private asDamage(error: unknown): unknown {
    if (error instanceof StoreError || !(error instanceof Error) || !('code' in error) || !isLmdbDamage(error.code))
      return error;
    return new StoreError('CORRUPT', `Cannot read tree "${this.directory}": ${error.message}`, { cause: error });
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
    const beganMs = performance.now();
    const answered = (error: Error | null, answer: { readonly memory?: ArrayBuffer } | null): void => {
      if (answer?.memory !== undefined && answer.memory.byteLength <= keptBytesMax) this.packer.reuse(answer.memory);
      this.busy = false;
      if (error === null) {
        this.faults.flushed?.(performance.now() - beganMs);
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
