// One stream of an HTTP/2 connection as whoever answers its request sees it: bytes in, fields and bytes out. What flow
// control does not let out yet is kept here, in order; what the reader does not want yet is not asked for.

import type { Bytes } from '../shared/bytes.js';
import { Fifo } from '../shared/fifo.js';
import type { ErrorCode } from './frames.js';
import type { SentFields } from './hpack-encoder.js';

/** Whoever answers. */
export interface StreamHandler {
  /** Bytes of the request, as they come: a view of memory that is never written again. */
  received(bytes: Buffer): void;
  /** The client sends nothing more. */
  ended(): void;
  /** Fewer bytes are unsent than before. */
  sent(): void;
  /** Nothing comes or goes any more; `unsentBytes` is 0. Called once, after an answer, a reset, or the connection's end. */
  closed(): void;
}

/** The connection as its streams see it. */
export interface StreamHost {
  sendFields(stream: Http2Stream, fields: SentFields, end: boolean): void;
  /** Sends a frame of data at once, if nothing is in its way. */
  sendNow(stream: Http2Stream, head: Bytes, body: Bytes): boolean;
  /** The stream has bytes to send. */
  queued(stream: Http2Stream): void;
  /** So many bytes of its request are done with: the client may send as many again on the stream. */
  returnWindow(stream: Http2Stream, bytes: number): void;
  /** The same for all streams together. */
  returnConnectionWindow(bytes: number): void;
  resetStream(stream: Http2Stream, code: ErrorCode): void;
  /** The answer is complete. */
  answered(stream: Http2Stream): void;
}

/** What is smaller is joined with what is in front of it. */
const joinedBytesMax = 4 * 2 ** 10;

export class Http2Stream {
  readonly id: number;
  /** Set by whoever takes the request. */
  handler: StreamHandler | null = null;
  /** The client has sent all. */
  remoteEnded = false;
  /** Nobody may use it any more. */
  closed = false;
  /** Bytes that the client may send before it has to wait. */
  receiveWindow: number;
  /** Bytes that are done with and that the client was not told of. */
  doneBytes = 0;
  /** Bytes sent, less those that the client asked for on this stream. */
  spentWindow = 0;
  /** It is among those that the connection will let send. */
  waitsToSend = false;
  private readonly host: StreamHost;
  private fieldsSent = false;
  private queue: Fifo<Bytes> | null = null;
  /** Of the first in the queue, what has left. */
  private firstSent = 0;
  private queuedBytes = 0;
  private trailers: SentFields | null = null;
  private localEnded = false;
  private paused = false;
  private pausedAlone = false;
  /** Came while paused; and of that, what the connection has not got back either. */
  private withheldBytes = 0;
  private withheldOfConnection = 0;

  constructor(id: number, host: StreamHost, receiveWindow: number) {
    this.id = id;
    this.host = host;
    this.receiveWindow = receiveWindow;
  }

  // ---- for whoever answers ----

  /** The answer has begun. */
  get responded(): boolean {
    return this.fieldsSent;
  }

  /** Bytes of the answer that wait for the client or the socket. */
  get unsentBytes(): number {
    return this.queuedBytes;
  }

  /** Begins the answer, and ends it with that when `end` is true. */
  respond(fields: SentFields, end: boolean): void {
    if (this.closed || this.localEnded) return;
    this.fieldsSent = true;
    this.host.sendFields(this, fields, end);
    if (end) this.finish();
  }

  /** Both parts, one behind the other. `head` is copied, `body` must not change until it has left. */
  write(head: Bytes, body: Bytes): void {
    if (this.closed || this.localEnded || this.trailers !== null) return;
    if (head.length + body.length === 0) return;
    if (this.queuedBytes === 0 && this.host.sendNow(this, head, body)) return;
    this.queue ??= new Fifo();
    if (body.length <= joinedBytesMax) {
      const joined = new Uint8Array(head.length + body.length);
      joined.set(head);
      joined.set(body, head.length);
      this.queue.push(joined);
    } else {
      if (head.length > 0) this.queue.push(new Uint8Array(head));
      this.queue.push(body);
    }
    this.queuedBytes += head.length + body.length;
    this.host.queued(this);
  }

  /** Ends the answer once everything before it has left. */
  end(trailers: SentFields): void {
    if (this.closed || this.localEnded || this.trailers !== null) return;
    this.trailers = trailers;
    if (this.queuedBytes === 0) this.sendTrailers();
  }

  reset(code: ErrorCode): void {
    if (!this.closed) this.host.resetStream(this, code);
  }

  /**
   * Takes no more than the client may send by now. `alone`: what has come does not keep the client from sending on other
   * streams. That is for those which others have to go on for, and whose number is bounded.
   */
  pause(alone = false): void {
    this.paused = true;
    this.pausedAlone = alone;
  }

  resume(): void {
    this.paused = false;
    const { withheldBytes, withheldOfConnection } = this;
    if (withheldBytes === 0) return;
    this.withheldBytes = 0;
    this.withheldOfConnection = 0;
    this.host.returnConnectionWindow(withheldOfConnection);
    this.host.returnWindow(this, withheldBytes);
  }

  // ---- for its connection ----

  /** Bytes of the request have come, which took so much of the window. */
  take(bytes: Buffer, windowBytes: number): void {
    if (bytes.length > 0) this.handler?.received(bytes);
    if (!this.paused || this.closed) {
      this.host.returnConnectionWindow(windowBytes);
      this.host.returnWindow(this, windowBytes);
      return;
    }
    this.withheldBytes += windowBytes;
    if (this.pausedAlone) this.host.returnConnectionWindow(windowBytes);
    else this.withheldOfConnection += windowBytes;
  }

  /** Takes so many queued bytes out of the queue, piece by piece. */
  takeQueued(bytes: number, add: (piece: Bytes) => void): void {
    this.queuedBytes -= bytes;
    let rest = bytes;
    while (rest > 0) {
      const first = this.queue?.peek() as Bytes;
      const end = Math.min(first.length, this.firstSent + rest);
      add(this.firstSent === 0 && end === first.length ? first : first.subarray(this.firstSent, end));
      rest -= end - this.firstSent;
      if (end < first.length) this.firstSent = end;
      else {
        this.queue?.shift();
        this.firstSent = 0;
      }
    }
  }

  /** Queued bytes have left. */
  tellSent(): void {
    if (this.queuedBytes === 0 && this.trailers !== null) this.sendTrailers();
    if (!this.closed) this.handler?.sent();
  }

  /** Gives the number of bytes that the connection's window was not given back. */
  close(): number {
    if (this.closed) return 0;
    this.closed = true;
    this.queue = null;
    this.queuedBytes = 0;
    this.withheldBytes = 0;
    const bytes = this.withheldOfConnection;
    this.withheldOfConnection = 0;
    this.handler?.closed();
    return bytes;
  }

  // ---- inside ----

  private sendTrailers(): void {
    if (this.trailers === null || this.closed) return;
    this.host.sendFields(this, this.trailers, true);
    this.finish();
  }

  private finish(): void {
    this.localEnded = true;
    this.host.answered(this);
  }
}
