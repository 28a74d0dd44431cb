// One gRPC call over one stream of HTTP/2: from the bytes of its request to its method, from the method's messages to the
// stream, whose end carries the status. Whatever happens to it, it lets go of all that it holds, once.

import type { HeaderField } from '../../../http2/hpack-decoder.js';
import type { Http2Stream, StreamHandler } from '../../../http2/http2-stream.js';
import { type Bytes, emptyBytes } from '../../../shared/bytes.js';
import type { CallHost, HostedCall } from './call-host.js';
import type { DueCall } from './due-calls.js';
import type { GrpcCall, GrpcMethod, MessageStream } from './grpc-call.js';
import type { MethodCounts } from './grpc-counts.js';
import { answerFields, type CallHead, headerOf, okTrailers, statusFields } from './grpc-headers.js';
import { type GrpcStatus, grpcStatus } from './grpc-status.js';
import { MessageRoom, type MessageRoomHandler } from './message-room.js';
import { MessageSplitter, prefixBytes, type SplitterHost, wholeMessage } from './message-splitter.js';

/** A request whose head is sound. */
export interface AdmittedCall {
  readonly head: CallHead;
  readonly method: GrpcMethod;
  readonly counts: MethodCounts | undefined;
}

/** As etcd's code of that name is told. */
const internalError = 'etcdserver: internal error';
/** Copied by the stream before it is written again. */
const prefix = new Uint8Array(prefixBytes);

export class StreamCall implements GrpcCall, HostedCall, SplitterHost, MessageRoomHandler, DueCall, StreamHandler {
  readonly path: string;
  readonly timeoutMs: number;
  readonly method: GrpcMethod;
  private readonly counts: MethodCounts | undefined;
  private readonly stream: Http2Stream;
  private readonly headers: readonly HeaderField[];
  private readonly host: CallHost;
  /** Most requests come in one piece and need none. */
  private splitter: MessageSplitter | null = null;
  private readonly deadlineMs: number;
  /** Until then the request has to be there, if it is to be there at all. */
  private arrivalEndMs = Number.POSITIVE_INFINITY;
  /** It is among the calls whose time is watched. */
  private watched = false;
  /** Nothing is taken of the request before `start`. */
  private started = false;
  private handler: MessageStream | null = null;
  /** Made with the splitter's first message. */
  private room: MessageRoom | null = null;
  /** Bytes that the host has been told of. */
  private accountedBytes = 0;
  /** The method has nothing more to say. */
  private finished = false;
  /** There is nobody to say it to. */
  private gone = false;
  private dispatched = false;
  /** Its end was told. */
  private concluded = false;
  /** `send` said false. */
  private full = false;
  private begunPrefix: Uint8Array | null = null;
  private tellDrained: (() => void) | undefined;
  private tellCancelled: (() => void) | undefined;

  constructor(
    stream: Http2Stream,
    request: {
      readonly host: CallHost;
      readonly headers: readonly HeaderField[];
      readonly admitted: AdmittedCall;
    },
  ) {
    const { head, method, counts } = request.admitted;
    this.path = head.path;
    this.timeoutMs = head.timeoutMs;
    this.method = method;
    this.counts = counts;
    if (counts !== undefined) counts.started += 1;
    this.stream = stream;
    this.headers = request.headers;
    this.host = request.host;
    this.deadlineMs = head.timeoutMs > 0 ? performance.now() + head.timeoutMs : Number.POSITIVE_INFINITY;
    if (this.deadlineMs < Number.POSITIVE_INFINITY) this.watch();
  }

  // ---- as its connection sees it ----

  get dueMs(): number {
    return Math.min(this.deadlineMs, this.arrivalEndMs);
  }

  /** Takes the request: what has come of it and what will. */
  start(): void {
    this.started = true;
    if (this.over) return;
    if (this.method.type === 'stream') this.open(this.method);
    this.splitter?.resume();
    // Nothing may have come yet, and what comes then is read as well.
    this.follow();
    this.account();
    this.concludeRequest();
  }

  /** Waits for room before it takes its request. Those that it waits for go on. */
  park(): void {
    this.stream.pause(true);
  }

  /** The request of a call for one answer has not come with its headers: it may take only so long. */
  limitRequest(): void {
    if (this.over || this.dispatched || this.method.type === 'stream') return;
    this.arrivalEndMs = performance.now() + this.host.limits.requestArrivalTimeoutMs;
    this.watch();
  }

  due(): void {
    // Other calls have their time as well.
    this.contain(() => this.endInTime());
  }

  private endInTime(): void {
    if (this.over) return;
    if (this.arrivalEndMs < this.deadlineMs) {
      const { requestArrivalTimeoutMs } = this.host.limits;
      this.stop(grpcStatus.deadlineExceeded, `The request has not arrived within ${requestArrivalTimeoutMs} ms`);
    } else {
      this.stop(grpcStatus.deadlineExceeded, 'context deadline exceeded');
    }
  }

  stop(status: GrpcStatus, message: string): void {
    if (this.over) return;
    // The stream may be closed when this returns.
    this.conclude(status, message);
    this.gone = true;
    this.tell(this.tellCancelled);
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
    try {
      return this.sendMessage(message);
    } catch (error) {
      this.host.broken(error);
      return false;
    }
  }

  private sendMessage(message: Bytes): boolean {
    if (!this.stream.responded && !this.host.hasRoomFor(message.length)) {
      this.stop(grpcStatus.unavailable, 'etcdserver: request timed out');
      return false;
    }
    if (!this.mayWrite()) return false;
    this.counts?.sent(message.length);
    writePrefix(prefix, message.length);
    this.stream.write(prefix, message);
    return this.afterSend();
  }

  beginMessage(byteLength: number): void {
    this.contain(() => this.begin(byteLength));
  }

  private begin(byteLength: number): void {
    if (!this.mayWrite()) return;
    this.counts?.sent(byteLength);
    const begun = new Uint8Array(prefixBytes);
    writePrefix(begun, byteLength);
    // Of an empty message no piece follows.
    if (byteLength === 0) this.stream.write(begun, emptyBytes);
    else this.begunPrefix = begun;
  }

  sendPiece(piece: Bytes): boolean {
    try {
      if (!this.mayWrite()) return false;
      const begun = this.begunPrefix;
      this.begunPrefix = null;
      this.stream.write(begun ?? emptyBytes, piece);
      return this.afterSend();
    } catch (error) {
      this.host.broken(error);
      return false;
    }
  }

  finish(): void {
    if (!this.over) this.conclude(grpcStatus.ok, '');
  }

  fail(status: GrpcStatus, message: string): void {
    if (!this.over) this.conclude(status, message);
  }

  onDrain(listener: () => void): void {
    this.tellDrained = listener;
  }

  onCancelled(listener: () => void): void {
    this.tellCancelled = listener;
    if (this.gone) this.tell(listener);
  }

  // ---- as its splitter sees it ----

  message(message: Bytes): void {
    const { method } = this;
    this.counts?.received(message);
    if (this.room?.taken === true) this.arrived();
    if (method.type === 'stream') {
      try {
        this.handler?.message(message);
      } catch (error) {
        this.methodThrew(error);
      }
      return;
    }
    // What follows the one message is for nobody.
    this.dispatched = true;
    this.splitter?.clear();
    this.requestIsThere();
    try {
      method.handle(this, message);
    } catch (error) {
      this.methodThrew(error);
    }
  }

  begun(byteLength: number): boolean {
    this.limitArrival();
    this.room ??= new MessageRoom(this.host, this);
    const taken = this.room.take(byteLength);
    if (taken === 'refused') {
      this.stop(grpcStatus.resourceExhausted, 'The server holds too many unfinished requests');
    }
    return taken === 'granted';
  }

  refused(status: GrpcStatus, message: string): void {
    this.stop(status, message);
  }

  // ---- as the room of its message sees it ----

  granted(): void {
    this.contain(() => this.readOn());
  }

  late(message: string): void {
    this.contain(() => this.stop(grpcStatus.resourceExhausted, message));
  }

  // ---- as its stream sees it ----

  received(chunk: Buffer): void {
    if (this.over || this.dispatched) return;
    if (this.splitter === null) {
      const taken = this.started && !this.full;
      const message = taken ? wholeMessage(chunk, this.host.limits.requestFrameBytesMax) : undefined;
      if (message !== undefined) {
        this.message(message);
        return;
      }
      this.splitter = new MessageSplitter(this, this.host.limits.requestFrameBytesMax);
      if (!taken) this.splitter.stop();
    }
    this.splitter.push(chunk);
    // A call that waits for room must not take it away from those whose end it waits for.
    if (!this.started || this.splitter.whole) return;
    this.follow();
    this.account();
  }

  ended(): void {
    this.concludeRequest();
  }

  sent(): void {
    this.account();
    if (!this.full) return;
    const { host, stream } = this;
    // Nothing unsent is room enough, whatever others hold: else nobody might ever wake it.
    const lowBytes = Math.max(0, Math.min(host.limits.grpcStreamQueueBytesMax, host.roomBytes) / 2);
    if (stream.unsentBytes > lowBytes) return;
    this.full = false;
    if (this.finished) return;
    this.tell(this.tellDrained);
    if (this.full || this.over) return;
    this.splitter?.resume();
    this.follow();
    this.concludeRequest();
  }

  closed(): void {
    this.letGoOfRequest();
    this.gone = true;
    if (!this.finished) {
      this.counts?.ended(grpcStatus.cancelled);
      this.tell(this.tellCancelled);
    }
    this.host.closed(this);
  }

  // ---- inside ----

  private open(method: Extract<GrpcMethod, { type: 'stream' }>): void {
    try {
      this.handler = method.open(this);
    } catch (error) {
      this.methodThrew(error);
    }
  }

  /** The method's own exceptions cost this call alone. */
  private tell(listener: (() => void) | undefined): void {
    try {
      listener?.();
    } catch (error) {
      this.methodThrew(error);
    }
  }

  private methodThrew(error: unknown): void {
    this.host.methodThrew(error);
    this.stop(grpcStatus.internal, internalError);
  }

  private contain(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.host.broken(error);
    }
  }

  private conclude(status: GrpcStatus, message: string): void {
    try {
      this.end(status, message);
    } catch (error) {
      this.host.broken(error);
    }
  }

  /** There is room for the message that waits. */
  private readOn(): void {
    this.room?.goOn();
    this.splitter?.makeRoom();
    this.follow();
    this.account();
    this.concludeRequest();
  }

  /** Nothing more comes; what came may still wait to be taken. */
  private concludeRequest(): void {
    if (!this.stream.remoteEnded || !this.started || this.concluded) return;
    if (this.over || this.full || this.room?.isWaiting === true) return;
    this.concluded = true;
    if (this.splitter?.whole === false) {
      this.stop(grpcStatus.internal, 'unexpected EOF');
    } else if (this.method.type === 'stream') {
      this.tell(() => this.handler?.halfClosed());
    } else if (!this.dispatched) {
      const message = 'cardinality violation: received no request message from non-client-streaming RPC';
      this.stop(grpcStatus.internal, message);
    }
  }

  /** Reads on, or not: while much is unsent, and while a large message waits for room. */
  private follow(): void {
    if (this.over) return;
    if (this.full) this.stream.pause();
    else if (this.room?.waits === true) this.stream.pause(true);
    else this.stream.resume();
  }

  /** A message has begun: the rest of it may take only so long. */
  private limitArrival(): void {
    if (this.method.type === 'unary') return;
    this.arrivalEndMs = performance.now() + this.host.limits.requestArrivalTimeoutMs;
    this.watch();
  }

  private arrived(): void {
    this.room?.giveBack();
    this.requestIsThere();
    this.account();
  }

  private requestIsThere(): void {
    if (this.arrivalEndMs === Number.POSITIVE_INFINITY) return;
    this.arrivalEndMs = Number.POSITIVE_INFINITY;
    if (this.deadlineMs === Number.POSITIVE_INFINITY) this.unwatch();
  }

  private watch(): void {
    if (this.watched) return;
    this.watched = true;
    this.host.dueCalls.add(this);
  }

  private unwatch(): void {
    if (!this.watched) return;
    this.watched = false;
    this.host.dueCalls.delete(this);
  }

  /** False: nothing can be sent. Otherwise the response has begun. */
  private mayWrite(): boolean {
    if (this.over || this.stream.closed) return false;
    if (!this.stream.responded) this.stream.respond(answerFields, false);
    return true;
  }

  private afterSend(): boolean {
    const { host, stream } = this;
    const { unsentBytes } = stream;
    // Nothing is unsent and nothing was.
    if (unsentBytes === 0 && this.accountedBytes === 0) return true;
    this.account();
    if (unsentBytes <= host.limits.grpcStreamQueueBytesMax && unsentBytes <= host.roomBytes) return true;
    if (!this.full) {
      this.full = true;
      this.splitter?.stop();
      this.follow();
    }
    return false;
  }

  /** All is said. A client that goes on is told to stop by its connection. */
  private end(status: GrpcStatus, message: string): void {
    const { stream } = this;
    this.finished = true;
    this.counts?.ended(status);
    this.letGoOfRequest();
    stream.resume();
    const trailers = status === grpcStatus.ok ? okTrailers : statusFields(status, message);
    if (stream.responded) stream.end(trailers);
    else stream.respond([...answerFields, ...trailers], true);
  }

  private letGoOfRequest(): void {
    this.splitter?.clear();
    this.room?.giveBack();
    this.unwatch();
    this.account();
  }

  private account(): void {
    const bytes = this.stream.unsentBytes + (this.splitter?.heldBytes ?? 0);
    if (bytes === this.accountedBytes) return;
    this.host.changeHeld(bytes - this.accountedBytes);
    this.accountedBytes = bytes;
  }
}

function writePrefix(target: Uint8Array, byteLength: number): void {
  target[0] = 0;
  target[1] = byteLength >> 24;
  target[2] = byteLength >> 16;
  target[3] = byteLength >> 8;
  target[4] = byteLength;
}
