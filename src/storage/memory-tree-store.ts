// The in-memory twin of the LMDB tree store, for tests and the simulator: same contract, deterministic, every callback
// through the given scheduler. MemoryTreeDisk is the disk under it, which survives a crash of the process.

import type { Scheduler } from '../ensemble/ports.js';
import { type Bytes, copyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type {
  FlushBatch,
  HistoryRange,
  KeyRecord,
  KeyState,
  RetainedVersion,
  SessionRecord,
  StoreContents,
  StoreImage,
  StoreRange,
  StoreUsage,
  TreeMeta,
  VersionWrite,
} from '../tree/store.js';
import { otherSpaces, replicatedSpaces } from '../wire/replicated-spaces.js';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';
import { MemoryTreeContent } from './memory-tree-content.js';
import { TreeDigest } from './tree-digest.js';
import { decodeKeyRecord, encodeKeyRecord, ImageDecoder, ImageEncoder, type ImageItem } from './tree-image.js';
import { localSpace, userSpace } from './tree-rows.js';
import type { CrashableTreeStoreOpener, OpenedTreeStore, ScrubPosition, ScrubSlice } from './tree-store-opener.js';
import { RunningVersionsHash } from './versions-hash.js';

const emptyKey: Bytes = new Uint8Array(0);

export interface MemoryTreeDiskOptions {
  readonly scheduler: Pick<Scheduler, 'defer' | 'after'>;
  /** How long a flush, a slice of compaction or a digest takes; 0 = until the end of this turn. */
  readonly delayMs?: () => number;
  /** Fails the next flush or slice of compaction with this error, leaving the content as it was; null = none. */
  readonly fault?: () => Error | null;
  /** At a crash: whether a flush in flight had reached the disk. */
  readonly flushSurvives?: () => boolean;
}

/** A simulated disk: holds trees by directory name and outlives the simulated process. */
export class MemoryTreeDisk implements CrashableTreeStoreOpener {
  private readonly options: MemoryTreeDiskOptions;
  private readonly directories = new Map<string, MemoryTreeContent>();
  private readonly opened = new Set<MemoryTreeStore>();

  constructor(options: MemoryTreeDiskOptions) {
    this.options = options;
  }

  open(directory: string, { existing }: { readonly existing: boolean } = { existing: false }): MemoryTreeStore {
    let content = this.directories.get(directory);
    if (content === undefined) {
      if (existing) throw new StoreError('CORRUPT', `Cannot open tree "${directory}": it is missing`);
      content = new MemoryTreeContent();
      this.directories.set(directory, content);
    }
    if (content.incomplete)
      throw new StoreError('CORRUPT', `Cannot open the tree "${directory}": its image is incomplete`);
    const store = new MemoryTreeStore(content, this.options, () => this.opened.delete(store));
    this.opened.add(store);
    return store;
  }

  /** Memory has no pages that could be damaged. */
  probe(_directory: string, done: (error: Error | null) => void): void {
    this.options.scheduler.defer(() => done(null));
  }

  remove(directory: string, done: (error: Error | null) => void): void {
    this.directories.delete(directory);
    this.options.scheduler.defer(() => done(null));
  }

  crash(): void {
    for (const store of this.opened) store.crash();
    this.opened.clear();
  }

  /** Forgets the trees in directories that are gone. None of them may be open. */
  keep(isThere: (directory: string) => boolean): void {
    for (const directory of this.directories.keys()) if (!isThere(directory)) this.directories.delete(directory);
  }
}

export class MemoryTreeStore implements OpenedTreeStore {
  private readonly content: MemoryTreeContent;
  private readonly options: MemoryTreeDiskOptions;
  private readonly onClose: () => void;
  private dead = false;
  private busy = false;
  private readonly openContents = new Set<StoreContents>();
  private inFlight: FlushBatch | null = null;
  private loading: { readonly decoder: ImageDecoder; meta: TreeMeta | null } | null = null;

  constructor(content: MemoryTreeContent, options: MemoryTreeDiskOptions, onClose: () => void) {
    this.content = content;
    this.options = options;
    this.onClose = onClose;
  }

  get meta(): TreeMeta {
    return this.content.meta;
  }

  get(space: SpaceId, key: Bytes, at: Revision | undefined): KeyRecord | undefined {
    return this.content.get(space, key, at);
  }

  state(key: Bytes): KeyState | undefined {
    return this.content.get(userSpace, key, undefined);
  }

  scan(space: SpaceId, range: StoreRange, visit: (record: KeyRecord) => boolean): Bytes | undefined {
    let rows = 0;
    for (const record of this.content.range(space, range.from, range.to, range.at)) {
      if (range.rowsMax !== undefined && rows >= range.rowsMax) return record.key;
      rows += 1;
      const wanted = range.keysOnly ? withoutValue(record) : record;
      if (!(range.borrowed ? lend(wanted, visit) : visit(wanted))) return undefined;
    }
    return undefined;
  }

  history(range: HistoryRange, visit: (change: VersionWrite) => boolean): Revision {
    let rows = 0;
    let last = 0;
    for (const change of this.content.changesFrom(range.from)) {
      const revision = change.modRevision;
      if (revision > range.to) break;
      if (rows >= range.rowsMax && revision !== last) return revision;
      rows += 1;
      last = revision;
      if (range.wants(change.key) && !visit(change)) return revision;
    }
    return (range.to + 1) as Revision;
  }

  keyRevisions(key: Bytes, from: Revision, max: number): readonly Revision[] | undefined {
    const revisions = this.content.revisionsOf(key).filter((revision) => revision >= from);
    return revisions.length > max ? undefined : revisions;
  }

  sessions(): readonly SessionRecord[] {
    return [...this.content.sessions.values()];
  }

  flush(batch: FlushBatch, done: (error: Error | null) => void): void {
    this.begin();
    this.inFlight = batch;
    this.later(() => {
      const error = this.options.fault?.() ?? null;
      if (error === null) this.content.apply(batch);
      this.inFlight = null;
      this.busy = false;
      done(error);
    });
  }

  compactSlice(revision: Revision, versionsMax: number, done: (error: Error | null, more: boolean) => void): void {
    this.begin();
    this.later(() => {
      const error = this.options.fault?.() ?? null;
      const more = error !== null || this.content.compact(revision, versionsMax);
      this.busy = false;
      done(error, more);
    });
  }

  image(): StoreImage {
    const meta = this.content.meta;
    const items: ImageItem[] = [{ type: 'header', meta }];
    for (const version of this.content.retainedVersions()) items.push({ type: 'version', version });
    for (const space of otherSpaces) {
      const records = this.content.range(space, emptyKey, undefined, undefined);
      for (const record of records) items.push({ type: 'record', space, record });
    }
    for (const session of this.sessions()) items.push({ type: 'session', session });
    let at = 0;
    let encoder: ImageEncoder | null = null;
    return {
      meta,
      next: (bytesMax) => {
        if (at > items.length) return null;
        encoder ??= new ImageEncoder(bytesMax);
        while (at < items.length && encoder.length < bytesMax) {
          const item = items[at++] as Exclude<ImageItem, { type: 'end' }>;
          encoder.add(item);
        }
        if (at === items.length && encoder.length < bytesMax) {
          encoder.end();
          at += 1;
        }
        return encoder.take();
      },
      close: () => {
        at = items.length + 1;
      },
    };
  }

  contents(): StoreContents {
    const { meta } = this.content;
    const versions = this.content.retainedVersions();
    const records = new Map(
      otherSpaces.map((space) => [space, this.content.range(space, emptyKey, undefined, undefined)]),
    );
    let closed = false;
    function* read<Row>(rows: readonly Row[]): Generator<Row, undefined, undefined> {
      for (const row of rows) {
        if (closed) throw new StoreError('UNAVAILABLE', 'Cannot read what the tree held: it was let go');
        yield row;
      }
      return undefined;
    }
    const contents = {
      meta,
      versions: (): Iterable<RetainedVersion> => read(versions),
      records: (space: SpaceId): Iterable<KeyRecord> => read(records.get(space) ?? []),
      close: (): void => {
        closed = true;
        this.openContents.delete(contents);
      },
    };
    this.openContents.add(contents);
    return contents;
  }

  digest(done: Parameters<OpenedTreeStore['digest']>[0]): void {
    const { appliedZxid, revision } = this.content.meta;
    const digest = new TreeDigest();
    for (const space of replicatedSpaces) {
      for (const record of this.content.range(space, emptyKey, undefined, undefined)) digest.add(space, record);
    }
    const result = { zxid: appliedZxid, revision, digest: digest.finish() };
    this.later(() => done(null, result));
  }

  hashVersions(through: Revision, done: Parameters<OpenedTreeStore['hashVersions']>[1]): void {
    const { revision, compactedRevision } = this.content.meta;
    const end = Math.min(through, revision) as Revision;
    const running = new RunningVersionsHash();
    for (const version of this.content.retainedVersions()) if (version.modRevision <= end) running.add(version);
    const result = { revision: end, compactedRevision, hash: running.finish() };
    this.later(() => done(null, result));
  }

  usage(): StoreUsage {
    return this.content.usage();
  }

  writeImage(chunk: Bytes, done: (error: Error | null) => void): void {
    this.loading ??= { decoder: new ImageDecoder(), meta: null };
    this.content.incomplete = true;
    const error = this.loadChunk(chunk.slice());
    this.later(() => done(error));
  }

  finishImage(done: (error: Error | null, meta: TreeMeta | null) => void): void {
    const loading = this.loading;
    const meta = loading?.meta ?? null;
    if (loading === null || meta === null || !loading.decoder.complete) {
      const error = new StoreError('CORRUPT', 'Cannot finish a tree image: its end is missing');
      this.later(() => done(error, null));
      return;
    }
    this.later(() => {
      this.content.meta = meta;
      this.content.incomplete = false;
      this.loading = null;
      done(null, meta);
    });
  }

  scrubSlice(_from: ScrubPosition | null, done: (error: Error | null, slice: ScrubSlice | null) => void): void {
    this.options.scheduler.defer(() => done(null, { next: null, rows: 0, bytes: 0 }));
  }

  exportLocal(): Bytes {
    const buffer = new GrowingBuffer(1024);
    for (const record of this.content.range(localSpace, emptyKey, undefined, undefined))
      encodeKeyRecord(buffer, record);
    return buffer.take();
  }

  importLocal(exported: Bytes, done: (error: Error | null) => void): void {
    const cursor = new ByteCursor(exported.slice());
    const records: KeyRecord[] = [];
    while (!cursor.done) records.push(decodeKeyRecord(cursor));
    this.later(() => {
      this.content.clearSpace(localSpace);
      for (const record of records) {
        this.content.add({ space: localSpace, key: record.key, modRevision: record.modRevision, record });
      }
      done(null);
    });
  }

  close(done: (error: Error | null) => void): void {
    if (this.inFlight !== null) this.content.apply(this.inFlight);
    this.inFlight = null;
    this.dead = true;
    for (const contents of this.openContents) contents.close();
    this.onClose();
    this.options.scheduler.defer(() => done(null));
  }

  /** The process is gone: nothing is called back any more; a flush in flight has reached the disk whole or not at all. */
  crash(): void {
    if (this.inFlight !== null && (this.options.flushSurvives?.() ?? false)) this.content.apply(this.inFlight);
    this.inFlight = null;
    this.dead = true;
  }

  private begin(): void {
    if (this.busy) throw new Error('Cannot begin a flush or compaction: one is running');
    this.busy = true;
  }

  private later(task: () => void): void {
    const guarded = (): void => {
      if (!this.dead) task();
    };
    const delayMs = this.options.delayMs?.() ?? 0;
    if (delayMs > 0) this.options.scheduler.after(delayMs, guarded);
    else this.options.scheduler.defer(guarded);
  }

  private loadChunk(chunk: Bytes): Error | null {
    const loading = this.loading;
    if (loading === null) return null;
    try {
      loading.decoder.read(chunk, (item) => {
        if (item.type === 'header') loading.meta = item.meta;
        else if (item.type === 'version') this.content.addRetained(item.version, loadedMeta(loading).compactedRevision);
        else if (item.type === 'session') this.content.sessions.set(item.session.client, item.session);
        else if (item.type === 'record') {
          const { space, record } = item;
          this.content.add({ space, key: record.key, modRevision: record.modRevision, record });
        }
      });
      return null;
    } catch (error) {
      if (error instanceof StoreError) return error;
      throw error;
    }
  }
}

const overwritten = 0xdb;

/** On a disk the memory of a borrowed value is that of the next one, too: who keeps it keeps something else. */
function lend(record: KeyRecord, visit: (record: KeyRecord) => boolean): boolean {
  const { key, createRevision, modRevision, version, lease } = record;
  const value = copyBytes(record.value);
  const goesOn = visit({ key, value, createRevision, modRevision, version, lease });
  value.fill(overwritten);
  return goesOn;
}

function withoutValue({ key, createRevision, modRevision, version, lease }: KeyRecord): KeyRecord {
  return { key, value: emptyKey, createRevision, modRevision, version, lease };
}

function loadedMeta(loading: { readonly meta: TreeMeta | null }): TreeMeta {
  // The decoder refuses an image whose header is not its first item.
  if (loading.meta === null) throw new StoreError('CORRUPT', 'Cannot read a tree image: its header is missing');
  return loading.meta;
}
