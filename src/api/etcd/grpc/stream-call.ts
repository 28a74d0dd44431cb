// One gRPC call over one stream of HTTP/2: from the bytes of its request to its method, from the method's messages to the
// stream, whose end carries the status. Whatever happens to it, it lets go of all that it holds, once.

import type { ServerHttp2Stream } from 'node:http2';
import type { Limits } from '../../../config/limits.js';
import type { Bytes } from '../../../shared/bytes.js';
import { Arrival, type ArrivalBudget, smallArrivalBytes } from '../../arrival-budget.js';
import type { DueCall, DueCalls } from './due-calls.js';
import type { GrpcCall, GrpcMethod, MessageStream } from './grpc-call.js';
import type { MethodCounts } from './grpc-counts.js';
import { type CallHead, headerOf, type RequestHeaders, statusText } from './grpc-headers.js';
import { type GrpcStatus, grpcStatus } from './grpc-status.js';
import { MessageSplitter, prefixBytes, type SplitterHost } from './message-splitter.js';

/** The connection as its calls see it. */
export interface CallHost {
  readonly limits: Limits;
  readonly dueCalls: DueCalls;
  readonly arrivals: ArrivalBudget;
  readonly commonName: string | undefined;
  /** Bytes that one of its calls may have unsent without harm to others. */
  readonly roomBytes: number;
  /** A call holds so many bytes more (or fewer). */
  changeHeld(bytes: number): void;
  /** Bytes of unfinished messages that need no room of their own: true if they are taken. */
  takeSmall(bytes: number): boolean;
  giveSmall(bytes: number): void;
  /** A call is going to wait with bytes that are not read: false when too many do. */
  beginWait(): boolean;
  endWait(): void;
  closed(call: StreamCall): void;
}

/** A message up to this size is copied behind its prefix, so that both leave in one piece. */
const copiedBytesMax = 16 * 2 ** 10;

const responseHeaders = { ':status': 200, 'content-type': 'application/grpc' } as const;
const okTrailers = { 'grpc-status': '0' } as const;
const withTrailers = { waitForTrailers: true, sendDate: false } as const;
const withoutBody = { endStream: true, sendDate: false } as const;

export class StreamCall implements GrpcCall, SplitterHost, DueCall {
  readonly path: string;
  readonly timeoutMs: number;
  readonly method: GrpcMethod;
  private readonly counts: MethodCounts | undefined;
  private readonly stream: ServerHttp2Stream;
  private readonly headers: RequestHeaders;
  private readonly host: CallHost;
  private readonly splitter: MessageSplitter;
  private readonly deadlineMs: number;
  /** Until then the request has to be there, if it is to be there at all. */
  private arrivalEndMs: number;
  private handler: MessageStream | null = null;
  private arrival: Arrival | null = null;
  private waiting = false;
  private smallBytes = 0;
  /** Bytes that the host has been told of. */
  private accountedBytes = 0;
  /** The method has nothing more to say. */
  private finished = false;
  /** There is nobody to say it to. */
  private gone = false;
  private dispatched = false;
  private readEnded = false;
  /** Its end was told. */
  private concluded = false;
  /** `send` said false. */
  private full = false;
  private begunPrefix: Buffer | null = null;
  private trailers: Readonly<Record<string, string>> | null = null;
  private tellDrained: (() => void) | undefined;
  private tellCancelled: (() => void) | undefined;
  private readonly written = (): void => this.afterWrite();

  constructor(
    stream: ServerHttp2Stream,
    options: {
      readonly host: CallHost;
      readonly head: CallHead;
      readonly headers: RequestHeaders;
      readonly method: GrpcMethod;
      readonly counts: MethodCounts | undefined;
    },
  ) {
    const { host, head, method } = options;
    this.path = head.path;
    this.timeoutMs = head.timeoutMs;
    this.method = method;
    this.counts = options.counts;
    if (this.counts !== undefined) this.counts.started += 1;
    this.stream = stream;
    this.headers = options.headers;
    this.host = host;
    this.splitter = new MessageSplitter(this, host.limits.requestFrameBytesMax);
    const nowMs = performance.now();
    this.deadlineMs = head.timeoutMs > 0 ? nowMs + head.timeoutMs : Number.POSITIVE_INFINITY;
    this.arrivalEndMs =
      method.type === 'unary' ? nowMs + host.limits.requestArrivalTimeoutMs : Number.POSITIVE_INFINITY;
    if (this.dueMs < Number.POSITIVE_INFINITY) host.dueCalls.add(this);
    stream.on('aborted', () => this.aborted());
    stream.on('close', () => this.closed());
  }

  // ---- as its connection sees it ----

  get dueMs(): number {
    return Math.min(this.deadlineMs, this.arrivalEndMs);
  }

  /** Begins to read. */
  start(): void {
    if (this.over) return;
    const { method, stream } = this;
    if (method.type === 'stream') this.handler = method.open(this);
    stream.on('data', (chunk: Buffer) => this.received(chunk));
    stream.on('end', () => this.endOfRequest());
  }

  due(): void {
    if (this.over) return;
    if (this.arrivalEndMs < this.deadlineMs) {
      const { requestArrivalTimeoutMs } = this.host.limits;
      this.end(grpcStatus.deadlineExceeded, `The request has not arrived within ${requestArrivalTimeoutMs} ms`);
    } else {
      this.end(grpcStatus.deadlineExceeded, 'context deadline exceeded');
    }
    this.cancel();
  }

  /** Ends the call for reasons of the connection; its method learns that it was cancelled. */
  stop(status: GrpcStatus, message: string): void {
    if (this.over) return;
    this.end(status, message);
    this.cancel();
  }

  // ---- as its method sees it ----

  get over(): boolean {
    return this.finished || this.gone;
  }

  get commonName(): string | undefined {
    return this.host.commonName;
  }

  header(name: string): string | undefined {
    return headerOf(this.headers, name);
  }

  send(message: Bytes): boolean {
    if (!this.mayWrite()) return false;
    this.counts?.sent(message.length);
    if (message.length <= copiedBytesMax) {
      const frame = Buffer.allocUnsafe(prefixBytes + message.length);
      writePrefix(frame, message.length);
      frame.set(message, prefixBytes);
      this.stream.write(frame, this.written);
    } else {
      this.writeBoth(prefixOf(message.length), message);
    }
    return this.afterSend();
  }

  beginMessage(byteLength: number): void {
    if (!this.mayWrite()) return;
    this.counts?.sent(byteLength);
    const prefix = prefixOf(byteLength);
    // Of an empty message no piece follows.
    if (byteLength === 0) this.stream.write(prefix, this.written);
    else this.begunPrefix = prefix;
  }

  sendPiece(piece: Bytes): boolean {
    if (!this.mayWrite()) return false;
    const prefix = this.begunPrefix;
    this.begunPrefix = null;
    if (prefix === null) this.stream.write(piece, this.written);
    else this.writeBoth(prefix, piece);
    return this.afterSend();
  }

  finish(): void {
    if (!this.over) this.end(grpcStatus.ok, '');
  }

  fail(status: GrpcStatus, message: string): void {
    if (!this.over) this.end(status, message);
  }

  onDrain(listener: () => void): void {
    this.tellDrained = listener;
  }

  onCancelled(listener: () => void): void {
    this.tellCancelled = listener;
    if (this.gone) listener();
  }

  // ---- as its splitter sees it ----

  message(message: Bytes): void {
    const { method } = this;
    this.counts?.received(message);
    if (this.arrival !== null || this.smallBytes > 0) this.arrived();
    if (method.type === 'stream') {
      this.handler?.message(message);
      return;
    }
    // What follows the one message is for nobody.
    this.dispatched = true;
    this.splitter.clear();
    this.requestIsThere();
    method.handle(this, message);
  }

  begun(byteLength: number): boolean {
    const { host } = this;
    this.limitArrival();
    if (byteLength <= smallArrivalBytes && host.takeSmall(byteLength)) {
      this.smallBytes = byteLength;
      return true;
    }
    this.arrival = new Arrival(host.arrivals, host.limits.requestArrivalTimeoutMs, {
      granted: () => {
        this.stopWaiting();
        this.splitter.makeRoom();
        this.follow();
        this.account();
        this.concludeRequest();
      },
      late: (error) => this.stop(grpcStatus.resourceExhausted, error.message),
    });
    if (this.arrival.begin(byteLength)) return true;
    this.waiting = host.beginWait();
    if (!this.waiting) this.stop(grpcStatus.resourceExhausted, 'The server holds too many unfinished requests');
    return false;
  }

  refused(status: GrpcStatus, message: string): void {
    this.stop(status, message);
  }

  // ---- inside ----

  private received(chunk: Buffer): void {
    if (this.over || this.dispatched) return;
    this.splitter.push(chunk);
    if (this.splitter.whole) return;
    this.follow();
    this.account();
  }

  private endOfRequest(): void {
    this.readEnded = true;
    this.concludeRequest();
  }

  /** Nothing more comes; what came may still wait to be taken. */
  private concludeRequest(): void {
    if (!this.readEnded || this.concluded || this.over || this.full || this.waiting) return;
    this.concluded = true;
    if (!this.splitter.whole) {
      this.stop(grpcStatus.internal, 'unexpected EOF');
    } else if (this.method.type === 'stream') {
      this.handler?.halfClosed();
    } else if (!this.dispatched) {
      const message = 'cardinality violation: received no request message from non-client-streaming RPC';
      this.stop(grpcStatus.internal, message);
    }
  }

  /** Reads on, or not: while much is unsent, and while a large message waits for room. */
  private follow(): void {
    if (this.over) return;
    const wait = this.full || this.arrival?.waiting === true;
    if (wait === this.stream.isPaused()) return;
    if (wait) this.stream.pause();
    else this.stream.resume();
  }

  /** A message has begun: the rest of it may take only so long. */
  private limitArrival(): void {
    if (this.method.type === 'unary') return;
    const watched = this.dueMs < Number.POSITIVE_INFINITY;
    this.arrivalEndMs = performance.now() + this.host.limits.requestArrivalTimeoutMs;
    if (!watched) this.host.dueCalls.add(this);
  }

  private arrived(): void {
    this.giveRoomBack();
    this.requestIsThere();
    this.account();
  }

  private giveRoomBack(): void {
    this.host.giveSmall(this.smallBytes);
    this.smallBytes = 0;
    this.stopWaiting();
    this.arrival?.end();
    this.arrival = null;
  }

  private stopWaiting(): void {
    if (this.waiting) this.host.endWait();
    this.waiting = false;
  }

  private requestIsThere(): void {
    if (this.arrivalEndMs === Number.POSITIVE_INFINITY) return;
    this.arrivalEndMs = Number.POSITIVE_INFINITY;
    if (this.deadlineMs === Number.POSITIVE_INFINITY) this.host.dueCalls.delete(this);
  }

  /** False: nothing can be sent. Otherwise the response has begun. */
  private mayWrite(): boolean {
    if (this.over) return false;
    const { stream } = this;
    if (stream.headersSent) return true;
    if (stream.destroyed || stream.closed) return false;
    stream.on('wantTrailers', () => this.sendTrailers());
    stream.respond(responseHeaders, withTrailers);
    return true;
  }

  private writeBoth(prefix: Buffer, bytes: Bytes): void {
    const { stream } = this;
    stream.cork();
    stream.write(prefix);
    stream.write(bytes, this.written);
    stream.uncork();
  }

  private afterSend(): boolean {
    this.account();
    const { host, stream } = this;
    const unsentBytes = stream.writableLength;
    if (unsentBytes <= host.limits.grpcStreamQueueBytesMax && unsentBytes <= host.roomBytes) return true;
    if (!this.full) {
      this.full = true;
      this.splitter.stop();
      this.follow();
    }
    return false;
  }

  private afterWrite(): void {
    if (this.gone) return;
    this.account();
    if (!this.full) return;
    const { host, stream } = this;
    // Nothing unsent is room enough, whatever others hold: else nobody might ever wake it.
    const lowBytes = Math.max(0, Math.min(host.limits.grpcStreamQueueBytesMax, host.roomBytes) / 2);
    if (stream.writableLength > lowBytes) return;
    this.full = false;
    if (this.finished) return;
    this.tellDrained?.();
    if (this.full || this.over) return;
    this.splitter.resume();
    this.follow();
    this.concludeRequest();
  }

  private end(status: GrpcStatus, message: string): void {
    const { stream } = this;
    this.finished = true;
    this.counts?.ended(status);
    this.letGoOfRequest();
    const trailers =
      status === grpcStatus.ok ? okTrailers : { 'grpc-status': String(status), 'grpc-message': statusText(message) };
    if (stream.headersSent) {
      this.trailers = trailers;
      stream.end();
    } else if (!stream.destroyed && !stream.closed) {
      stream.respond({ ...responseHeaders, ...trailers }, withoutBody);
      this.leave();
    }
  }

  private sendTrailers(): void {
    if (this.trailers === null || this.stream.destroyed || this.stream.closed) return;
    this.stream.sendTrailers(this.trailers);
    this.leave();
  }

  /** All is said. A client that goes on is told to stop, once what was said is on its way. */
  private leave(): void {
    const { stream } = this;
    if (stream.isPaused()) stream.resume();
    if (this.readEnded) return;
    setImmediate(() => {
      if (!this.readEnded && !stream.destroyed) stream.close();
    });
  }

  private letGoOfRequest(): void {
    this.splitter.clear();
    this.giveRoomBack();
    this.host.dueCalls.delete(this);
    this.account();
  }

  private cancel(): void {
    if (this.gone) return;
    this.gone = true;
    if (!this.finished) this.counts?.ended(grpcStatus.cancelled);
    this.tellCancelled?.();
  }

  private aborted(): void {
    if (!this.finished) this.cancel();
    // A stream that is not read would stay, for the sake of what nobody wants to read any more.
    setImmediate(() => this.stream.destroy());
  }

  private closed(): void {
    this.letGoOfRequest();
    this.host.changeHeld(-this.accountedBytes);
    this.accountedBytes = 0;
    if (!this.finished) this.cancel();
    this.gone = true;
    this.host.closed(this);
  }

  private account(): void {
    if (this.gone) return;
    const bytes = this.stream.writableLength + this.splitter.heldBytes;
    if (bytes === this.accountedBytes) return;
    this.host.changeHeld(bytes - this.accountedBytes);
    this.accountedBytes = bytes;
  }
}

function writePrefix(target: Buffer, byteLength: number): void {
  target[0] = 0;
  target.writeUInt32BE(byteLength, 1);
}

function prefixOf(byteLength: number): Buffer {
  const prefix = Buffer.allocUnsafe(prefixBytes);
  writePrefix(prefix, byteLength);
  return prefix;
}
