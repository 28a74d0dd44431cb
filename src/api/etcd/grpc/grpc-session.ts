// One HTTP/2 connection and the calls on it. Judges each new stream, bounds what the calls hold together, and lets no
// error of a connection or a stream go further than this: whatever a client sends ends at most its own connection.

import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import type { Socket } from 'node:net';
import type { Limits } from '../../../config/limits.js';
import { Fifo } from '../../../shared/fifo.js';
import { type ArrivalBudget, smallArrivalBytes } from '../../arrival-budget.js';
import type { QueueBudget } from '../../queue-budget.js';
import type { DueCalls } from './due-calls.js';
import type { GrpcMethods } from './grpc-call.js';
import type { GrpcCounts } from './grpc-counts.js';
import { headerOf, isGrpc, type Refusal, readCallHead, statusText, unknownMethodText } from './grpc-headers.js';
import { grpcStatus } from './grpc-status.js';
import { type CallHost, StreamCall } from './stream-call.js';

/** What all connections share. */
export interface SessionsHost {
  readonly methods: GrpcMethods;
  /** Names of the services that the methods belong to. */
  readonly services: ReadonlySet<string>;
  readonly counts: GrpcCounts;
  readonly limits: Limits;
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
  readonly dueCalls: DueCalls;
  /** Calls on all connections, and those that wait with bytes that are not read. */
  callCount: number;
  waitingCount: number;
  closed(session: GrpcSession): void;
}

/** Unread bytes that a client may send on one stream, and on all streams of a connection. */
const streamWindowBytes = 64 * 2 ** 10;
const connectionWindowBytes = 4 * 2 ** 20;
/** Bytes of all headers of a call; a token is the longest. */
const headerListBytesMax = 16 * 2 ** 10;
/** Unit of node:http2: megabytes that a connection may hold inside of it. */
const sessionMemoryMb = 64;

export function sessionSettings({ requestsInFlightPerConnectionMax }: Limits): Settings {
  return {
    maxConcurrentStreams: requestsInFlightPerConnectionMax,
    initialWindowSize: streamWindowBytes,
    maxHeaderListSize: headerListBytesMax,
  };
}

export class GrpcSession implements CallHost {
  readonly commonName: string | undefined;
  private readonly host: SessionsHost;
  private readonly session: ServerHttp2Session;
  private readonly calls = new Set<StreamCall>();
  private readonly parked = new Fifo<StreamCall>();
  private readonly handshake: NodeJS.Timeout;
  private readonly socket: Socket;
  private bytesRead = 0;
  private heardMs = performance.now();
  private pinged = false;
  private heldBytes = 0;
  private smallBytes = 0;

  constructor(socket: Socket, options: { readonly host: SessionsHost; readonly commonName: string | undefined }) {
    const { host } = options;
    this.host = host;
    this.socket = socket;
    this.commonName = options.commonName;
    this.session = performServerHandshake(socket, {
      maxSessionMemory: sessionMemoryMb,
      settings: sessionSettings(host.limits),
    });
    const { session } = this;
    // The connection is closed by then.
    session.on('error', () => undefined);
    session.on('close', () => this.closed());
    session.on('stream', (stream, headers) => this.begin(stream, headers));
    session.setLocalWindowSize(connectionWindowBytes);
    this.handshake = setTimeout(() => session.destroy(), host.limits.handshakeTimeoutMs);
    session.once('remoteSettings', () => clearTimeout(this.handshake));
  }

  // ---- as its calls see it ----

  get limits(): Limits {
    return this.host.limits;
  }

  get dueCalls(): DueCalls {
    return this.host.dueCalls;
  }

  get arrivals(): ArrivalBudget {
    return this.host.arrivals;
  }

  get roomBytes(): number {
    if (this.host.budget.exhausted(this.heldBytes)) return 0;
    return this.host.limits.grpcConnectionQueueBytesMax - this.heldBytes;
  }

  changeHeld(bytes: number): void {
    this.heldBytes += bytes;
    this.host.budget.change(bytes);
    if (bytes >= 0) return;
    while (this.parked.length > 0 && this.roomBytes > 0) this.unpark();
  }

  takeSmall(bytes: number): boolean {
    if (this.smallBytes + bytes > smallArrivalBytes) return false;
    this.smallBytes += bytes;
    return true;
  }

  giveSmall(bytes: number): void {
    this.smallBytes -= bytes;
  }

  beginWait(): boolean {
    if (this.host.waitingCount >= this.host.limits.grpcCallsWaitingMax) return false;
    this.host.waitingCount++;
    return true;
  }

  endWait(): void {
    this.host.waitingCount--;
  }

  closed(call?: StreamCall): void {
    if (call !== undefined) {
      if (this.calls.delete(call)) this.host.callCount--;
      return;
    }
    clearTimeout(this.handshake);
    while (this.parked.length > 0) this.unpark();
    this.host.closed(this);
  }

  // ---- as its listener sees it ----

  /** Takes no more calls. Those that wait for one answer may get it; streams end. */
  stop(): void {
    if (!this.session.closed) this.session.close();
    for (const call of [...this.calls]) {
      if (call.method.type === 'stream') call.stop(grpcStatus.unavailable, 'etcdserver: server stopped');
    }
  }

  /**
   * Pings a client that has been silent, and cuts off one that stays so. Also the only way to be rid of a connection that
   * broke the protocol: node:http2 says goodbye to it, then neither reads it nor closes it nor tells anybody.
   */
  checkSilence(nowMs: number): void {
    const { bytesRead } = this.socket;
    if (bytesRead !== this.bytesRead) {
      this.bytesRead = bytesRead;
      this.heardMs = nowMs;
      this.pinged = false;
      return;
    }
    const silentMs = nowMs - this.heardMs;
    const { grpcSilenceMsMax } = this.host.limits;
    if (silentMs >= grpcSilenceMsMax) this.session.destroy();
    else if (silentMs >= grpcSilenceMsMax / 2 && !this.pinged && !this.session.destroyed) {
      this.pinged = true;
      this.session.ping(() => undefined);
    }
  }

  // ---- inside ----

  private begin(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    // A reset, or a failed write: `close` follows.
    stream.on('error', () => undefined);
    if (stream.destroyed || stream.closed) return;
    const { host } = this;
    const head = readCallHead(headers);
    if ('message' in head) {
      refuse(stream, headers, head);
      return;
    }
    const method = host.methods.get(head.path);
    if (method === undefined) {
      const message = unknownMethodText(head.path, host.services);
      refuse(stream, headers, { httpStatus: 200, status: grpcStatus.unimplemented, message });
      return;
    }
    const park = this.roomBytes <= 0 || this.parked.length > 0;
    if (host.callCount >= host.limits.grpcCallsMax || (park && !this.beginWait())) {
      const message = 'etcdserver: too many requests';
      refuse(stream, headers, { httpStatus: 200, status: grpcStatus.resourceExhausted, message });
      return;
    }
    const call = new StreamCall(stream, {
      host: this,
      head,
      headers,
      method,
      counts: host.counts.methods.get(head.path),
    });
    host.callCount++;
    this.calls.add(call);
    if (park) this.parked.push(call);
    else call.start();
  }

  private unpark(): void {
    this.endWait();
    this.parked.shift()?.start();
  }
}

/** One HEADERS frame is the whole answer. */
function refuse(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, refusal: Refusal): void {
  const contentType = headerOf(headers, 'content-type') ?? '';
  const answer: Record<string, string | number> = {
    ':status': refusal.httpStatus,
    'content-type': isGrpc(contentType) ? contentType : 'application/grpc',
    'grpc-status': String(refusal.status),
    'grpc-message': statusText(refusal.message),
  };
  if (refusal.status === grpcStatus.unimplemented) answer['grpc-accept-encoding'] = 'identity';
  stream.respond(answer, { endStream: true });
  // What it goes on to send is for nobody.
  setImmediate(() => {
    if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
  });
}
