// The committed layers of one tree: generations in memory over the store, and how the one becomes the other. Generations are
// cut and flushed here, and what is asked of the store waits here until it shows what is applied. What is applied, and
// what it means, is the tree's.

import type { Revision, Zxid } from '../shared/ids.js';
import { type DigestDone, Flusher, type VersionsHashDone } from './flusher.js';
import { Generation } from './generation.js';
import { type KeyText, keyTextOf } from './key-text.js';
import type { DigestResult } from './replicated-tree.js';
import type { SessionTable } from './session-table.js';
import type { StoreContents, TreeMeta, TreeStore } from './store.js';
import type { Layers } from './tree-view.js';

export interface CommittedLayersOptions {
  /**
   * A generation is cut, and a flush due, when it holds this many bytes or this many versions. LMDB keeps every page that
   * a flush touches in memory, up to one a version, so that the second bounds its memory whatever the keys.
   */
  readonly overlayFlushBytes: number;
  readonly overlayFlushVersions: number;
  /** Versions that one slice of compaction looks at. */
  readonly compactVersionsMax: number;
  /** Runs the task after the current call has returned (Scheduler.defer). */
  readonly defer: (task: () => void) => void;
  /** Keys as text; the server passes a native one. */
  readonly keyText?: KeyText;
  /** Background work failed (compaction, a checkpoint's digest); it is retried, but the operator should know. */
  readonly onBackgroundError?: (error: Error) => void;
}

/** The tree that these layers hold. */
export interface CommittedLayersHost {
  /** What is applied now; a generation that is cut ends there. */
  applied(): TreeMeta;
  sessions(): SessionTable;
  /** Versions that a read at this revision needs must stay; undefined: those of no read. */
  pinnedRevision(): Revision | undefined;
}

export class CommittedLayers implements Layers {
  store: TreeStore;
  /** Newest first; that one collects. */
  generations: Generation[];
  readonly keyText: KeyText;
  private readonly options: CommittedLayersOptions;
  private readonly host: CommittedLayersHost;
  private flusher: Flusher;
  private frozenBytes = 0;
  private readonly checkpointListeners: ((result: DigestResult) => void)[] = [];

  constructor(store: TreeStore, options: CommittedLayersOptions, host: CommittedLayersHost) {
    this.options = options;
    this.host = host;
    this.keyText = options.keyText ?? keyTextOf;
    this.store = store;
    this.generations = [new Generation(store.meta.revision)];
    this.flusher = this.createFlusher(store);
  }

  get collecting(): Generation {
    return this.generations[0] as Generation;
  }

  /** Held in memory. */
  get bytes(): number {
    return this.frozenBytes + this.collecting.bytes;
  }

  /** Enough was applied for a flush, which has not ended. */
  get flushDue(): boolean {
    return this.generations.length > 1;
  }

  get flushedZxid(): Zxid {
    return this.flusher.flushedZxid;
  }

  get checkpointsPending(): number {
    return this.flusher.checkpointsPending;
  }

  /** Goes on over another store: forgets what is in memory and the flush that runs. */
  replaceStore(store: TreeStore): void {
    this.flusher.stop();
    this.store = store;
    this.generations = [new Generation(store.meta.revision)];
    this.frozenBytes = 0;
    this.flusher = this.createFlusher(store);
  }

  /**
   * Called where a batch ends, since a flush must end there: a snapshot is taken where a flush ended, and logs hold whole
   * batches. Cuts even while a flush runs: one flush is one transaction of the store, whose memory grows with it.
   */
  cutIfFull(): void {
    const { overlayFlushBytes, overlayFlushVersions } = this.options;
    const { bytes, versionCount } = this.collecting;
    if (bytes >= overlayFlushBytes || versionCount >= overlayFlushVersions) this.freeze(false);
  }

  /** Ends the generation that collects. With `checkpoint`, the store is hashed when it shows it. */
  freeze(checkpoint: boolean): void {
    const frozen = this.collecting;
    const applied = this.host.applied();
    frozen.freeze(applied, this.host.sessions(), checkpoint);
    this.frozenBytes += frozen.bytes;
    this.generations.unshift(new Generation(applied.revision));
    this.flusher.enqueue(frozen);
  }

  /** Flushes, removes and hashes what is due, if nothing of that runs. */
  pump(): void {
    this.flusher.pump();
  }

  flush(options: { readonly force: boolean; readonly done?: (error: Error | null) => void }): void {
    const { force, done } = options;
    if (force) this.flusher.request(this.host.applied().appliedZxid, done ?? ignoreResult);
    else if (done !== undefined) this.flusher.join(done);
    else this.flusher.pump();
  }

  digest(done: DigestDone): void {
    const flusher = this.flusher;
    flusher.request(this.host.applied().appliedZxid, (error) => {
      if (error !== null) done(error, null);
      else flusher.digest(done);
    });
  }

  hashVersions(through: Revision, done: VersionsHashDone): void {
    const flusher = this.flusher;
    flusher.request(this.host.applied().appliedZxid, (error) => {
      if (error !== null) done(error, null);
      else flusher.hashVersions(through, done);
    });
  }

  reclaim(done: (error: Error | null) => void): void {
    const flusher = this.flusher;
    const { appliedZxid, compactedRevision } = this.host.applied();
    flusher.request(appliedZxid, (error) => {
      if (error !== null) done(error);
      else flusher.removed(compactedRevision, done);
    });
  }

  contents(done: (error: Error | null, contents: StoreContents | null) => void): void {
    this.flusher.request(this.host.applied().appliedZxid, (error) => {
      if (error !== null) done(error, null);
      else giveContents(this.store, done);
    });
  }

  onCheckpoint(listener: (result: DigestResult) => void): void {
    this.checkpointListeners.push(listener);
  }

  private release(generation: Generation): void {
    this.frozenBytes -= generation.bytes;
    this.generations = this.generations.filter((other) => other !== generation);
  }

  private createFlusher(store: TreeStore): Flusher {
    const report = this.options.onBackgroundError ?? ignoreResult;
    return new Flusher({
      store,
      compactVersionsMax: this.options.compactVersionsMax,
      defer: this.options.defer,
      pinnedRevision: () => this.host.pinnedRevision(),
      freeze: () => this.freeze(false),
      release: (generation) => this.release(generation),
      checkpointDone: (error, result) => {
        if (error !== null) report(error);
        else if (result !== null) for (const listener of this.checkpointListeners) listener(result);
      },
      compactionFailed: report,
    });
  }
}

/** A store that cannot be read is the caller's answer, not the end of the flush that it waited for. */
function giveContents(store: TreeStore, done: (error: Error | null, contents: StoreContents | null) => void): void {
  let contents: StoreContents;
  try {
    contents = store.contents();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    done(error, null);
    return;
  }
  done(null, contents);
}

/** For callers that do not want to know. */
function ignoreResult(): void {}
