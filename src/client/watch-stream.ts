// One watch over any number of connections: reads the initial state page by page, then follows the changes, and goes on
// at the first revision not delivered yet whenever the connection, the peer or the consumer's pace makes it stop.
// Delivers whole revisions, in order, each once.

import { type ErrorCode, StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { KeyRecord, NativeEvent, NativeFrame, NativeRange } from '../wire/native-messages.js';
import { copyEvent, copyRecord } from './record-copy.js';
import type { RequestEngine, Stream } from './request-engine.js';

export type WatchUpdate =
  /** Part of the state that the watch begins with; `last`: changes follow. */
  | {
      readonly type: 'initial';
      readonly records: readonly KeyRecord[];
      readonly revision: Revision;
      readonly last: boolean;
    }
  /** Whole revisions; `revision` is the last event's. */
  | { readonly type: 'events'; readonly events: readonly NativeEvent[]; readonly revision: Revision };

export interface WatchSettings {
  readonly range: NativeRange;
  /** undefined: from the next change on. */
  readonly fromRevision: Revision | undefined;
  /** The current records first, then every change after that state; excludes fromRevision. */
  readonly initial: boolean;
  /** For each step of the beginning. Once it has begun the watch waits for a peer as long as it takes. */
  readonly timeoutMs: number;
}

export interface WatchListener {
  update(update: WatchUpdate): void;
  /** Nothing more comes. null: it was closed. */
  ended(error: StoreError | null): void;
}

const pageRecords = 1_000;
const reopenMs = 100;
const emptyPage = new Uint8Array(0);
/** Reading a key that nobody writes tells the revision of now, confirmed by a quorum. */
const probeKey = Uint8Array.of(0);

export class WatchStream implements Stream {
  readonly #engine: RequestEngine;
  readonly #settings: WatchSettings;
  readonly #listener: WatchListener;
  /** First revision not delivered yet. */
  #next = 0 as Revision;
  /** Events of a revision of which more is to come. */
  #partial: NativeEvent[] = [];
  #streamId: number | undefined;
  #reopenTimer: ReturnType<typeof setTimeout> | undefined;
  #state: 'beginning' | 'live' | 'ended' = 'beginning';
  #paused = false;
  #resumeBeginning: (() => void) | undefined;

  constructor(engine: RequestEngine, settings: WatchSettings, listener: WatchListener) {
    this.#engine = engine;
    this.#settings = settings;
    this.#listener = listener;
  }

  start(): void {
    if (this.#settings.initial) this.#readPage(emptyPage, 0 as Revision);
    else this.#learnRevision();
  }

  /** Nothing more is delivered until `resume`. */
  pause(): void {
    this.#paused = true;
    this.#closeStream();
  }

  resume(): void {
    this.#paused = false;
    const resumeBeginning = this.#resumeBeginning;
    this.#resumeBeginning = undefined;
    if (resumeBeginning !== undefined) resumeBeginning();
    else if (this.#state === 'live' && this.#engine.connected) this.#open();
  }

  close(): void {
    this.#end(null);
  }

  connected(): void {
    if (!this.#paused) this.#open();
  }

  lost(): void {
    this.#streamId = undefined;
    this.#partial = [];
    clearTimeout(this.#reopenTimer);
  }

  #learnRevision(): void {
    const body = { type: 'get', key: probeKey, local: false, seen: this.#engine.seen } as const;
    this.#engine.request(body, this.#settings.timeoutMs, (error, frame) => {
      if (this.#state === 'ended') return;
      if (frame === null || (error !== null && error.code !== 'KEY_NOT_FOUND')) {
        this.#end(error);
        return;
      }
      this.#live(this.#settings.fromRevision ?? ((frame.revision + 1) as Revision));
    });
  }

  #readPage(page: Uint8Array, revision: Revision): void {
    const body = {
      type: 'list',
      range: this.#settings.range,
      page,
      limit: pageRecords,
      revision,
      keysOnly: false,
      local: false,
      seen: this.#engine.seen,
    } as const;
    this.#engine.request(body, this.#settings.timeoutMs, (error, frame) => {
      if (this.#state === 'ended') return;
      if (error !== null || frame?.payload.type !== 'list') {
        this.#end(error ?? new StoreError('INTERNAL', 'The server answered a list with something else'));
        return;
      }
      const next = frame.payload.next.slice();
      const last = next.length === 0;
      const at = frame.revision;
      this.#listener.update({ type: 'initial', records: frame.payload.records.map(copyRecord), revision: at, last });
      if (this.#ended()) return;
      const goOn = last ? () => this.#live((at + 1) as Revision) : () => this.#readPage(next, at);
      if (this.#paused) this.#resumeBeginning = goOn;
      else goOn();
    });
  }

  #live(next: Revision): void {
    this.#next = next;
    this.#state = 'live';
    this.#engine.attach(this);
  }

  #open(): void {
    clearTimeout(this.#reopenTimer);
    if (this.#state !== 'live' || this.#streamId !== undefined) return;
    const body = {
      type: 'watch',
      range: this.#settings.range,
      fromRevision: this.#next,
      withInitial: false,
      seen: this.#engine.seen,
    } as const;
    this.#streamId = this.#engine.openStream(body, this.#settings.timeoutMs, (frame) => this.#received(frame));
  }

  #received(frame: NativeFrame): void {
    if (frame.id !== this.#streamId) return;
    if (frame.code !== 'OK' || frame.payload.type === 'watchEnded') {
      this.#failed(frame.code === 'OK' ? 'UNAVAILABLE' : frame.code, frame.message);
    } else if (frame.payload.type === 'watchEvents') {
      this.#deliver(frame.payload.events, frame.payload.more);
    }
  }

  #deliver(received: readonly NativeEvent[], more: boolean): void {
    const fresh = received.filter((event) => event.modRevision >= this.#next).map(copyEvent);
    let events = this.#partial.concat(fresh);
    this.#partial = [];
    if (more) {
      const openRevision = events.at(-1)?.modRevision;
      this.#partial = events.filter((event) => event.modRevision === openRevision);
      events = events.slice(0, events.length - this.#partial.length);
    }
    const last = events.at(-1);
    if (last === undefined) return;
    this.#next = (last.modRevision + 1) as Revision;
    this.#listener.update({ type: 'events', events, revision: last.modRevision });
  }

  #failed(code: ErrorCode, message: string): void {
    this.#engine.closeStream(this.#streamId ?? 0, false);
    this.#streamId = undefined;
    this.#partial = [];
    switch (code) {
      case 'UNAVAILABLE':
      case 'NO_QUORUM':
      case 'TIMEOUT':
      case 'OVERLOADED':
      case 'OUTCOME_UNKNOWN':
        if (code === 'UNAVAILABLE') this.#engine.leavePeer(message);
        clearTimeout(this.#reopenTimer);
        this.#reopenTimer = setTimeout(() => {
          if (this.#engine.connected && !this.#paused) this.#open();
        }, reopenMs);
        return;
      default:
        this.#end(new StoreError(code, message));
    }
  }

  #closeStream(): void {
    clearTimeout(this.#reopenTimer);
    if (this.#streamId !== undefined) this.#engine.closeStream(this.#streamId, true);
    this.#streamId = undefined;
    this.#partial = [];
  }

  #end(error: StoreError | null): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#closeStream();
    this.#engine.detach(this);
    this.#listener.ended(error);
  }

  /** Read anew after a callback, which may have closed it. */
  #ended(): boolean {
    return this.#state === 'ended';
  }
}
