// One stream of the service Watch: any number of watches by their ids. Tells of nothing while the client takes nothing; its
// watches then go on from history. When it is over, so are they.

import type { Bytes } from '../../shared/bytes.js';
import { compareBytes } from '../../shared/bytes.js';
import { StoreError } from '../../shared/errors.js';
import { type Revision, toRevision, zxidZero } from '../../shared/ids.js';
import type { WatchRequest as WatchedRange } from '../../tree/replicated-tree.js';
import { decodeWatchRequest, type WatchCreateRequest, type WatchId } from './codec/watch-request.js';
import { noWatchId, type WatchAnswer } from './codec/watch-response.js';
import { EtcdError, etcdFailures, failureOf, statusText } from './errors.js';
import { EtcdWatch, type WatchOwner } from './etcd-watch.js';
import type { GrpcCall, MessageStream } from './grpc/grpc-call.js';
import { failCall } from './grpc-methods.js';
import type { WatchDesk } from './watch-desk.js';

/** Watches that are resumed at once when there is room again: the first of them may well fill it. */
const resumedAtOnce = 64;
/** Part of the interval between reports of progress by which streams differ, so that they do not report at once. */
const progressJitter = 0.1;
/**
 * Keys and values that the watches of a stream may collect before they are told: clients bound what they take in one
 * response, and as long as nothing is sent it is not known whether there is room.
 */
const collectedBytesMax = 256 * 2 ** 10;
const leastKey: Bytes = new Uint8Array(1);

export class WatchStream implements MessageStream, WatchOwner {
  readonly desk: WatchDesk;
  private readonly call: GrpcCall;
  private readonly watches = new Map<WatchId, EtcdWatch>();
  /** The least id that was not given yet. */
  private nextId = 0;
  /** Too much is unsent; those who wait for room, in order. */
  private full = false;
  private readonly waiting = new Set<EtcdWatch>();
  private waking = false;
  /** Watches with events of this turn. */
  private collecting: EtcdWatch[] = [];
  private collectedBytes = 0;
  /** Watches that are not live. */
  private behind = 0;
  /** The client wants to be told once all of them are. */
  private progressWanted = false;
  private progressTimer: NodeJS.Timeout | null = null;
  private over = false;

  constructor(desk: WatchDesk, call: GrpcCall) {
    this.desk = desk;
    this.call = call;
    desk.leaderGuard.admit(call, () => this.failed(new EtcdError(etcdFailures.noLeader)));
    call.onDrain(() => {
      this.full = false;
      this.wake();
    });
    call.onCancelled(() => this.close());
  }

  message(message: Bytes): void {
    try {
      this.handle(message);
    } catch (error) {
      this.failed(error);
    }
  }

  /** The client only listens from now on. */
  halfClosed(): void {}

  // ---- as its watches see it ----

  mayDeliver(watch: EtcdWatch): boolean {
    if (!this.full) return true;
    this.waiting.add(watch);
    return false;
  }

  send(response: Bytes): void {
    if (!this.over && !this.call.send(response)) this.full = true;
  }

  collect(watch: EtcdWatch): void {
    if (this.collecting.length === 0) this.desk.collect(this);
    this.collecting.push(watch);
  }

  collected(bytes: number): void {
    this.collectedBytes += bytes;
    if (this.collectedBytes >= collectedBytesMax) this.tell();
  }

  /** Sends what its watches have collected. */
  tell(): void {
    const { collecting } = this;
    if (collecting.length === 0) return;
    this.collecting = [];
    this.collectedBytes = 0;
    for (const watch of collecting) watch.tell();
  }

  answer(answer: WatchAnswer, revision?: Revision): void {
    // It may say how far a watch has come.
    this.tell();
    this.send(this.desk.answer(answer, revision));
  }

  liveChanged(live: boolean): void {
    this.behind += live ? -1 : 1;
    if (live) this.answerProgress();
  }

  ended(watch: EtcdWatch): void {
    this.forget(watch);
  }

  failed(error: unknown): void {
    const { context } = this.desk;
    try {
      this.close();
    } catch (thrown) {
      failCall(context, this.call, thrown);
    }
    failCall(context, this.call, error);
  }

  /** For what a timer calls. */
  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.failed(error);
    }
  }

  // ---- inside ----

  private handle(message: Bytes): void {
    const request = decodeWatchRequest(message);
    switch (request.type) {
      case 'create':
        this.create(request);
        return;
      case 'cancel':
        this.cancel(request.watchId);
        return;
      case 'progress':
        this.progressWanted = true;
        this.answerProgress();
        return;
      case 'none':
        return;
    }
  }

  private create(request: WatchCreateRequest): void {
    const { desk } = this;
    const { service, limits, actorOf } = desk.context;
    try {
      const actor = actorOf(this.call);
      const range = rangeOf(request);
      if (range === null) {
        this.refuse('mvcc: watcher range is empty');
        return;
      }
      const watchId = request.watchId === 0 ? this.freeId() : request.watchId;
      if (this.watches.has(watchId)) {
        this.refuse('mvcc: duplicate watch ID provided on the WatchStream');
        return;
      }
      if (this.watches.size >= limits.etcdWatchesPerStreamMax || desk.open >= limits.etcdWatchesMax) {
        throw new StoreError('OVERLOADED', 'Cannot open a watch: so many as may be are open');
      }
      const watch = new EtcdWatch(this, watchId, request);
      const { startRevision } = request;
      const handle = service.watch(
        {
          ...range,
          seen: zxidZero,
          // Below 1 there is nothing, and no revision either.
          fromRevision: startRevision === 0 ? undefined : toRevision(Math.max(1, startRevision)),
          withInitial: false,
          fromCompacted: true,
          withPrevious: request.prevKv,
          withoutPuts: request.noPut,
          withoutDeletes: request.noDelete,
          ...(actor === undefined ? {} : { actor }),
        },
        watch,
      );
      watch.open(handle);
      this.keep(watch);
      this.answer({ watchId, created: true });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.refuse(statusText(failureOf(error)));
    }
  }

  private refuse(cancelReason: string): void {
    this.answer({ watchId: noWatchId, created: true, canceled: true, cancelReason });
  }

  private freeId(): number {
    while (this.watches.has(this.nextId)) this.nextId++;
    return this.nextId++;
  }

  /** One that is not there, or not any more, is as gone as the client wants it. */
  private cancel(watchId: WatchId): void {
    const watch = this.watches.get(watchId);
    if (watch === undefined) return;
    watch.cancel();
    this.forget(watch);
    this.answer({ watchId, canceled: true });
  }

  private keep(watch: EtcdWatch): void {
    this.watches.set(watch.watchId, watch);
    this.desk.open++;
    this.behind++;
    if (watch.progressNotify) this.progressTimer ??= this.beginProgress();
  }

  private forget(watch: EtcdWatch): void {
    this.watches.delete(watch.watchId);
    this.waiting.delete(watch);
    this.desk.open--;
    if (watch.live) return;
    this.behind--;
    // Not at once: other watches may be about to be told of the revision that this one ended at.
    if (this.progressWanted) setImmediate(() => this.guarded(() => this.answerProgress()));
  }

  private answerProgress(): void {
    if (!this.progressWanted || this.behind > 0 || this.over) return;
    this.progressWanted = false;
    for (const watch of this.watches.values()) {
      // It begins in the future: a client would take this for its place in history.
      if (watch.deliveredThrough === undefined) return;
    }
    this.answer({ watchId: noWatchId });
  }

  private beginProgress(): NodeJS.Timeout {
    const intervalMs = this.desk.context.limits.etcdWatchProgressMs * (1 + Math.random() * progressJitter);
    return setInterval(() => this.guarded(() => this.reportProgress()), intervalMs).unref();
  }

  private reportProgress(): void {
    for (const watch of this.watches.values()) {
      if (watch.progressNotify && !this.full) watch.reportProgress();
    }
  }

  /** There is room again: a few go on, and more if there is still room then. */
  private wake(): void {
    if (this.waking) return;
    let count = 0;
    for (const watch of this.waiting) {
      if (this.full || count === resumedAtOnce) break;
      count++;
      this.waiting.delete(watch);
      watch.resume();
    }
    if (this.waiting.size === 0 || this.full) return;
    this.waking = true;
    setImmediate(() => {
      this.waking = false;
      if (!this.over) this.guarded(() => this.wake());
    });
  }

  private close(): void {
    if (this.over) return;
    this.over = true;
    for (const watch of this.watches.values()) watch.cancel();
    this.desk.open -= this.watches.size;
    this.watches.clear();
    this.waiting.clear();
    this.collecting = [];
    this.collectedBytes = 0;
    if (this.progressTimer !== null) clearInterval(this.progressTimer);
    this.desk.leaderGuard.release(this.call);
  }
}

/** null: no key can be in it. */
function rangeOf({ key, rangeEnd }: WatchCreateRequest): WatchedRange | null {
  const from = key.length === 0 ? leastKey : key;
  if (rangeEnd.length === 0) return { from, to: undefined, single: true };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from, to: undefined, single: false };
  return compareBytes(from, rangeEnd) < 0 ? { from, to: rangeEnd, single: false } : null;
}
