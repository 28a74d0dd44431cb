// What all watch streams of a server share: how many watches there are, and the encoding of what they are told. Holds
// nothing of a client but the count.

import type { Bytes } from '../../shared/bytes.js';
import type { WatchEvent } from '../../tree/replicated-tree.js';
import { ProtoWriter } from '../../wire/protobuf/proto-writer.js';
import { eventField } from './codec/watch-event.js';
import type { WatchId } from './codec/watch-request.js';
import {
  encodeEvents,
  encodeHeaderField,
  encodeWatchAnswer,
  eventsHeadBytesMax,
  type WatchAnswer,
} from './codec/watch-response.js';
import type { EtcdContext } from './context.js';
import { LeaderGuard } from './leader-guard.js';
import { type CollectingStream, TellingTurns } from './telling-turns.js';

const writerBytes = 1024;

export class WatchDesk {
  readonly context: EtcdContext;
  readonly leaderGuard: LeaderGuard;
  /** Watches of all streams. */
  open = 0;
  private readonly writer = new ProtoWriter(writerBytes);
  /** Header of the last response with events: at one revision there are as many as there are watches. */
  private header: { readonly revision: number; readonly field: Bytes } | null = null;

  private readonly turns = new TellingTurns();

  constructor(context: EtcdContext) {
    this.context = context;
    this.leaderGuard = new LeaderGuard(context.service, context.limits.etcdNoLeaderMs);
  }

  /** Has the stream tell what it collects, once everything that was committed together is there. */
  collect(stream: CollectingStream): void {
    this.turns.add(stream);
  }

  /** A response without events, about the state as it is or at this revision. */
  answer(answer: WatchAnswer, revision: number = this.context.service.revision): Bytes {
    return encodeWatchAnswer(this.context.headers.at(revision), answer);
  }

  /**
   * Calls `send` with a response of all these events; with several when they are too large for one and the client takes
   * fragments. Throws StoreError, before anything was sent, for damage found while reading what an event replaced.
   */
  sendEvents(watch: EventsOptions, events: readonly WatchEvent[], send: (response: Bytes) => void): void {
    const { watchId, withPrevious, fragment } = watch;
    const { writer } = this;
    const header = this.headerField();
    const fields = events.map((event) => eventField(event, withPrevious, writer));
    if (!fragment) {
      send(encodeEvents({ header, watchId, fragment: false }, fields, writer));
      return;
    }
    const bytesMax = this.context.limits.etcdWatchFragmentBytes - header.length - eventsHeadBytesMax;
    let first = 0;
    let bytes = 0;
    fields.forEach((field, index) => {
      if (index > first && bytes + field.length > bytesMax) {
        send(encodeEvents({ header, watchId, fragment: true }, fields.slice(first, index), writer));
        first = index;
        bytes = 0;
      }
      bytes += field.length;
    });
    send(encodeEvents({ header, watchId, fragment: false }, fields.slice(first), writer));
  }

  private headerField(): Bytes {
    const { revision } = this.context.service;
    if (this.header?.revision !== revision) {
      this.header = { revision, field: encodeHeaderField(this.context.headers.at(revision)) };
    }
    return this.header.field;
  }
}

export interface EventsOptions {
  readonly watchId: WatchId;
  readonly withPrevious: boolean;
  readonly fragment: boolean;
}
