// One watch of a stream: takes what the store delivers and says it in etcd's words. What is committed together is told
// together; it keeps nothing of that beyond the turn of the event loop.

import { CompactedError } from '../../service/compacted-error.js';
import type { WatchHandle, WatchSink } from '../../service/store-service.js';
import type { Bytes } from '../../shared/bytes.js';
import { type ErrorCode, StoreError } from '../../shared/errors.js';
import type { Revision } from '../../shared/ids.js';
import type { WatchEvent } from '../../tree/replicated-tree.js';
import type { WatchCreateRequest, WatchId } from './codec/watch-request.js';
import type { WatchAnswer } from './codec/watch-response.js';
import { failureOf, statusText } from './errors.js';
import type { EventsOptions, WatchDesk } from './watch-desk.js';

/** What a watch sees of the stream that it belongs to. */
export interface WatchOwner {
  readonly desk: WatchDesk;
  /** False: so much is unsent that this watch has to wait until it is resumed. */
  mayDeliver(watch: EtcdWatch): boolean;
  send(response: Bytes): void;
  /** The watch has events that leave together with those of the rest of this turn. */
  collect(watch: EtcdWatch): void;
  /** It has so many more bytes of them. */
  collected(bytes: number): void;
  answer(answer: WatchAnswer, revision?: Revision): void;
  liveChanged(live: boolean): void;
  /** The watch is over and has been told so. */
  ended(watch: EtcdWatch): void;
  /** This node cannot go on telling anybody. */
  failed(error: unknown): void;
}

export class EtcdWatch implements WatchSink, EventsOptions {
  readonly watchId: WatchId;
  readonly withPrevious: boolean;
  readonly fragment: boolean;
  readonly progressNotify: boolean;
  /** Told of everything, as far as the store knows. */
  live = false;
  /** Was sent no events since it was last asked. */
  private quiet = true;
  private collected: WatchEvent[] = [];
  private readonly owner: WatchOwner;
  private handle: WatchHandle | null = null;

  constructor(owner: WatchOwner, watchId: WatchId, request: WatchCreateRequest) {
    this.owner = owner;
    this.watchId = watchId;
    this.withPrevious = request.prevKv;
    this.fragment = request.fragment;
    this.progressNotify = request.progressNotify;
  }

  open(handle: WatchHandle): void {
    this.handle = handle;
  }

  cancel(): void {
    this.handle?.cancel();
  }

  resume(): void {
    this.handle?.resume();
  }

  get deliveredThrough(): Revision | undefined {
    return this.handle?.deliveredThrough;
  }

  /** Tells how far it has come, unless events said so since the last time. */
  reportProgress(): void {
    const { quiet, deliveredThrough } = this;
    this.quiet = true;
    if (quiet && deliveredThrough !== undefined) this.owner.answer({ watchId: this.watchId }, deliveredThrough);
  }

  ready(): boolean {
    return this.owner.mayDeliver(this);
  }

  events(events: readonly WatchEvent[]): void {
    try {
      this.take(events);
    } catch (error) {
      // Damage, which ends this watch and no other.
      if (error instanceof StoreError) throw error;
      this.owner.failed(error);
    }
  }

  private take(events: readonly WatchEvent[]): void {
    this.quiet = false;
    if (this.withPrevious) {
      // What an event replaced is read while it is there for sure; damage that is found then ends the watch here.
      this.owner.desk.sendEvents(this, events, (response) => this.owner.send(response));
      return;
    }
    if (this.collected.length === 0) this.owner.collect(this);
    let bytes = 0;
    for (const event of events) {
      this.collected.push(event);
      bytes += event.key.length + (event.record?.value.length ?? 0);
    }
    this.owner.collected(bytes);
  }

  /** Sends what was collected. */
  tell(): void {
    const events = this.collected;
    if (events.length === 0) return;
    this.collected = [];
    this.owner.desk.sendEvents(this, events, (response) => this.owner.send(response));
  }

  /** Never wanted: etcd's watches begin with a revision. */
  initial(): void {}

  liveChanged(live: boolean): void {
    this.live = live;
    try {
      this.owner.liveChanged(live);
    } catch (error) {
      this.owner.failed(error);
    }
  }

  ended(error: StoreError): void {
    try {
      this.tellEnd(error);
    } catch (thrown) {
      this.owner.failed(thrown);
    }
  }

  private tellEnd(error: StoreError): void {
    if (nodeFailures.has(error.code)) {
      this.owner.failed(error);
      return;
    }
    const { watchId } = this;
    if (error instanceof CompactedError) {
      this.owner.answer({ watchId, canceled: true, compactRevision: error.compactedRevision });
    } else {
      this.owner.answer({ watchId, canceled: true, cancelReason: statusText(failureOf(error)) });
    }
    this.owner.ended(this);
  }
}

/** What ends a watch because of its node: the client does better to go on elsewhere, with all of its watches. */
const nodeFailures: ReadonlySet<ErrorCode> = new Set(['CORRUPT', 'INTERNAL', 'UNAVAILABLE', 'TIMEOUT', 'NO_QUORUM']);
