// Moves frozen generations into the store, one at a time and in order; hashes the store where a checkpoint entry demands
// it or a caller asks; removes compacted versions in slices while nothing is to be flushed. Never touches live layers.

import { StoreError } from '../shared/errors.js';
import type { Revision, Zxid } from '../shared/ids.js';
import type { FrozenState, Generation } from './generation.js';
import type { DigestResult } from './replicated-tree.js';
import type { TreeStore, VersionsHash } from './store.js';

export type DigestDone = (error: Error | null, result: DigestResult | null) => void;
export type VersionsHashDone = (error: Error | null, hash: VersionsHash | null) => void;
type FlushDone = (error: Error | null) => void;

export interface FlusherHost {
  readonly store: TreeStore;
  /** Versions that one slice of compaction may remove. */
  readonly compactVersionsMax: number;
  /** Versions that a read at this revision needs must stay; undefined: those of no read. */
  pinnedRevision(): Revision | undefined;
  /** Runs the task after the current call has returned. */
  defer(task: () => void): void;
  /** Freezes what was applied so far into a generation and enqueues it here. */
  freeze(): void;
  /** The store shows this generation: it may be dropped. */
  release(generation: Generation): void;
  checkpointDone(error: Error | null, result: DigestResult | null): void;
  compactionFailed(error: Error): void;
}

export class Flusher {
  private readonly host: FlusherHost;
  /** Oldest first. */
  private readonly queue: Generation[] = [];
  private waiters: { readonly through: Zxid; readonly done: FlushDone }[] = [];
  /** The store is flushing or compacting. */
  private busy = false;
  private stopped = false;
  private compactedThrough = 0 as Revision;
  /** Callers of the digest that runs, null while none does, and of the next one. */
  private digestRunning: DigestDone[] | null = null;
  private digestWaiters: DigestDone[] = [];
  /** The first one runs. */
  private hashes: { readonly through: Revision; readonly done: VersionsHashDone }[] = [];
  private compactionWaiters: { readonly revision: Revision; readonly done: FlushDone }[] = [];
  /** Durable in the store and shown by it. */
  flushedZxid: Zxid;
  checkpointsPending = 0;

  constructor(host: FlusherHost) {
    this.host = host;
    this.flushedZxid = host.store.meta.appliedZxid;
  }

  /** Takes a frozen generation; it is flushed after those before it. */
  enqueue(generation: Generation): void {
    this.queue.push(generation);
    if (frozenState(generation).checkpoint) this.checkpointsPending += 1;
  }

  /** Calls back once `through` is durable in the store. Flushes what is frozen, and freezes more if that is needed. */
  request(through: Zxid, done: FlushDone): void {
    if (through <= this.flushedZxid) {
      this.host.defer(() => done(null));
      return;
    }
    this.waiters.push({ through, done });
    this.pump();
  }

  /** Starts what is due; calls back when the flush that runs then has ended, at once when none does. */
  join(done: FlushDone): void {
    const first = this.queue[0];
    this.request(first === undefined ? this.flushedZxid : frozenState(first).meta.appliedZxid, done);
  }

  /** Goes on if there is something to do and nothing runs. */
  pump(): void {
    if (this.busy || this.stopped) return;
    const { store } = this.host;
    const wanted = this.waiters.length > 0;
    if (this.queue.length === 0 && wanted) this.host.freeze();
    const next = this.queue[0];
    if (next !== undefined) this.flush(next);
    else {
      const pinned = this.host.pinnedRevision();
      const { compactedRevision } = store.meta;
      const through = pinned !== undefined && pinned < compactedRevision ? pinned : compactedRevision;
      if (through > this.compactedThrough) this.compact(through);
    }
  }

  /** Hashes the store as it is; callers that come while one runs share the next. */
  digest(done: DigestDone): void {
    this.digestWaiters.push(done);
    if (this.digestRunning === null) this.startDigest();
  }

  /** Hashes the versions of the store as it is, one call after the other. */
  hashVersions(through: Revision, done: VersionsHashDone): void {
    if (this.stopped) {
      this.host.defer(() => done(replaced(), null));
      return;
    }
    this.hashes.push({ through, done });
    if (this.hashes.length === 1) this.startHash();
  }

  /** Calls back once the store has removed what compaction up to `revision`, which is flushed, makes removable. */
  removed(revision: Revision, done: FlushDone): void {
    if (this.stopped || revision <= this.compactedThrough) {
      this.host.defer(() => done(this.stopped ? replaced() : null));
      return;
    }
    this.compactionWaiters.push({ revision, done });
    this.pump();
  }

  /** The store is being replaced: nothing is called back any more but the waiters, with an error. */
  stop(): void {
    this.stopped = true;
    const error = replaced();
    const flushes = this.waiters;
    const digests = [...(this.digestRunning ?? []), ...this.digestWaiters];
    const { hashes, compactionWaiters } = this;
    this.waiters = [];
    this.hashes = [];
    this.compactionWaiters = [];
    this.digestRunning = null;
    this.digestWaiters = [];
    this.host.defer(() => {
      for (const waiter of flushes) waiter.done(error);
      for (const done of digests) done(error, null);
      for (const { done } of hashes) done(error, null);
      for (const { done } of compactionWaiters) done(error);
    });
  }

  private flush(generation: Generation): void {
    const { meta, sessions, sessionsEvicted } = frozenState(generation);
    this.busy = true;
    const versions = generation.versions();
    const byteLength = generation.bytes;
    this.host.store.flush({ meta, versions, sessions, sessionsEvicted, byteLength }, (error) => {
      if (this.stopped) return;
      this.busy = false;
      if (error !== null) this.failed(error);
      else this.flushed(generation);
    });
  }

  /** The generation stays and is tried again by the next request. */
  private failed(error: Error): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of waiters) waiter.done(error);
  }

  private flushed(generation: Generation): void {
    const { meta, checkpoint } = frozenState(generation);
    this.queue.shift();
    this.flushedZxid = meta.appliedZxid;
    this.host.release(generation);
    if (checkpoint) {
      // Begun before any further flush, so that it sees the store exactly at the checkpoint.
      this.host.store.digest((error, result) => {
        if (this.stopped) return;
        this.checkpointsPending -= 1;
        this.host.checkpointDone(error, result);
      });
    }
    const ready = this.waiters.filter((waiter) => waiter.through <= this.flushedZxid);
    this.waiters = this.waiters.filter((waiter) => waiter.through > this.flushedZxid);
    for (const waiter of ready) waiter.done(null);
    this.pump();
  }

  private compact(revision: Revision): void {
    this.busy = true;
    this.host.store.compactSlice(revision, this.host.compactVersionsMax, (error, more) => {
      if (this.stopped) return;
      this.busy = false;
      if (error !== null) {
        // E.g. a full disk: it is tried again behind the next flush, which may be waiting already.
        this.host.compactionFailed(error);
        const waiters = this.compactionWaiters;
        this.compactionWaiters = [];
        for (const { done } of waiters) done(error);
        if (this.queue.length > 0 || this.waiters.length > 0) this.pump();
        return;
      }
      if (!more) this.compactedTo(revision);
      this.pump();
    });
  }

  private compactedTo(revision: Revision): void {
    this.compactedThrough = revision;
    const ready = this.compactionWaiters.filter((waiter) => waiter.revision <= revision);
    this.compactionWaiters = this.compactionWaiters.filter((waiter) => waiter.revision > revision);
    for (const { done } of ready) done(null);
  }

  private startHash(): void {
    const next = this.hashes[0];
    if (next === undefined) return;
    this.host.store.hashVersions(next.through, (error, hash) => {
      if (this.stopped) return;
      this.hashes.shift();
      this.startHash();
      next.done(error, hash);
    });
  }

  private startDigest(): void {
    const callers = this.digestWaiters;
    this.digestWaiters = [];
    this.digestRunning = callers;
    this.host.store.digest((error, result) => {
      if (this.stopped) return;
      this.digestRunning = null;
      for (const done of callers) done(error, result);
      if (this.digestRunning === null && this.digestWaiters.length > 0) this.startDigest();
    });
  }
}

function replaced(): StoreError {
  return new StoreError('UNAVAILABLE', 'Cannot finish a flush: a snapshot replaced the tree');
}

function frozenState(generation: Generation): FrozenState {
  if (generation.frozen === null) throw new Error('Cannot flush a generation that is still collecting');
  return generation.frozen;
}
