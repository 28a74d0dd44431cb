// A watch as an async iterable: a bounded queue between the connection and the consumer. A consumer that is slow makes the
// watch pause; it goes on from history once there is room.

import type { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import type { WatchListener, WatchStream, WatchUpdate } from './watch-stream.js';

const queuedMax = 10_000;
const queuedBytesMax = 16 * 2 ** 20;

export class Watch implements AsyncIterableIterator<WatchUpdate> {
  readonly #stream: WatchStream;
  readonly #queue = new Fifo<WatchUpdate>();
  readonly #readers = new Fifo<{
    resolve(result: IteratorResult<WatchUpdate>): void;
    reject(error: StoreError): void;
  }>();
  #queued = 0;
  #queuedBytes = 0;
  #paused = false;
  #over: { readonly error: StoreError | null } | undefined;
  #failureTold = false;

  constructor(open: (listener: WatchListener) => WatchStream) {
    this.#stream = open({ update: (update) => this.#update(update), ended: (error) => this.#ended(error) });
    this.#stream.start();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<WatchUpdate>> {
    const update = this.#queue.shift();
    if (update !== undefined) {
      this.#queued -= sizeOf(update);
      this.#queuedBytes -= bytesOf(update);
      if (this.#paused && this.#queue.length === 0) {
        this.#paused = false;
        this.#stream.resume();
      }
      return Promise.resolve({ done: false, value: update });
    }
    const error = this.#over?.error ?? null;
    if (error !== null && !this.#failureTold) {
      this.#failureTold = true;
      return Promise.reject(error);
    }
    if (this.#over !== undefined) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Ends the watch; `for await` calls it when the loop is left. */
  return(): Promise<IteratorResult<WatchUpdate>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    this.#stream.close();
  }

  #update(update: WatchUpdate): void {
    const reader = this.#readers.shift();
    if (reader !== undefined) {
      reader.resolve({ done: false, value: update });
      return;
    }
    this.#queue.push(update);
    this.#queued += sizeOf(update);
    this.#queuedBytes += bytesOf(update);
    if (this.#paused || (this.#queued < queuedMax && this.#queuedBytes < queuedBytesMax)) return;
    this.#paused = true;
    this.#stream.pause();
  }

  #ended(error: StoreError | null): void {
    this.#over = { error };
    if (error === null) {
      this.#queue.clear();
    }
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      if (error === null || this.#failureTold) {
        reader.resolve({ done: true, value: undefined });
      } else {
        this.#failureTold = true;
        reader.reject(error);
      }
    }
  }
}

function sizeOf(update: WatchUpdate): number {
  return update.type === 'initial' ? update.records.length : update.events.length;
}

function bytesOf(update: WatchUpdate): number {
  const records = update.type === 'initial' ? update.records : update.events.map((event) => event.record ?? event);
  return records.reduce((sum, record) => sum + record.key.length + ('value' in record ? record.value.length : 0), 0);
}
