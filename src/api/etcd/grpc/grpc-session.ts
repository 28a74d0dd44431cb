// One HTTP/2 connection and the calls on it. Judges each new stream, bounds what the calls hold together, and lets no
// error of a connection or a stream go further than this: whatever a client sends ends at most its own connection.

import type { Socket } from 'node:net';
import type { Limits } from '../../../config/limits.js';
import type { HeaderField } from '../../../http2/hpack-decoder.js';
import { type ConnectionHost, Http2Connection } from '../../../http2/http2-connection.js';
import type { Http2Stream } from '../../../http2/http2-stream.js';
import type { SlabPool } from '../../../http2/outbox.js';
import type { ServerSettings } from '../../../http2/settings.js';
import { Fifo } from '../../../shared/fifo.js';
import { type ArrivalBudget, smallArrivalBytes } from '../../arrival-budget.js';
import type { FrontEndGuard } from '../../front-end-guard.js';
import type { QueueBudget } from '../../queue-budget.js';
import type { CallHost, HostedCall } from './call-host.js';
import type { DueCalls } from './due-calls.js';
import type { GrpcMethods } from './grpc-call.js';
import type { GrpcCounts } from './grpc-counts.js';
import { headerOf, isGrpc, type Refusal, readCallHead, statusFields, unknownMethodText } from './grpc-headers.js';
import { grpcStatus } from './grpc-status.js';
import { type AdmittedCall, StreamCall } from './stream-call.js';

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
  readonly slabs: SlabPool;
  readonly guard: FrontEndGuard;
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

function settingsOf({ requestsInFlightPerConnectionMax }: Limits): ServerSettings {
  return {
    streamsMax: requestsInFlightPerConnectionMax,
    streamWindowBytes,
    connectionWindowBytes,
    headerListBytesMax,
  };
}

export class GrpcSession implements CallHost, ConnectionHost {
  readonly commonName: string | undefined;
  readonly address: string;
  private readonly host: SessionsHost;
  private readonly connection: Http2Connection;
  /** Calls that end with the node. */
  private readonly streams = new Set<HostedCall>();
  private readonly parked = new Fifo<StreamCall>();
  /** Calls for one answer that have begun with what comes right now. */
  private begun: StreamCall[] = [];
  private readonly socket: Socket;
  private bytesRead = 0;
  private heardMs = performance.now();
  private pinged = false;
  private heldBytes = 0;
  private smallBytes = 0;
  /** The headers that came last, and what was found in them: most clients send the same again and again. */
  private lastHeaders: readonly HeaderField[] = [];
  private lastAdmitted: AdmittedCall | null = null;

  constructor(socket: Socket, options: { readonly host: SessionsHost; readonly commonName: string | undefined }) {
    const { host } = options;
    this.host = host;
    this.socket = socket;
    this.commonName = options.commonName;
    this.address = socket.remoteAddress ?? '';
    this.connection = new Http2Connection(socket, {
      settings: settingsOf(host.limits),
      handshakeTimeoutMs: host.limits.handshakeTimeoutMs,
      slabs: host.slabs,
      host: this,
    });
  }

  // ---- as its connection sees it ----

  request(stream: Http2Stream, headers: readonly HeaderField[]): void {
    const admitted = this.admit(stream, headers);
    if (admitted === null) return;
    const { host } = this;
    const park = this.roomBytes <= 0 || this.parked.length > 0;
    if (host.callCount >= host.limits.grpcCallsMax || (park && !this.beginWait())) {
      const message = 'etcdserver: too many requests';
      refuse(stream, headers, { httpStatus: 200, status: grpcStatus.resourceExhausted, message });
      return;
    }
    const call = new StreamCall(stream, { host: this, headers, admitted });
    stream.handler = call;
    host.callCount++;
    if (admitted.method.type === 'stream') this.streams.add(call);
    else this.begun.push(call);
    if (park) {
      call.park();
      this.parked.push(call);
    } else call.start();
  }

  chunkTaken(): void {
    if (this.begun.length === 0) return;
    for (const call of this.begun) call.limitRequest();
    this.begun = [];
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

  hasRoomFor(bytes: number): boolean {
    if (this.host.budget.overflows(bytes)) return false;
    return this.heldBytes === 0 || this.heldBytes + bytes <= this.host.limits.grpcUnreadAnswersBytesMax;
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

  closed(call?: HostedCall): void {
    if (call !== undefined) {
      if (call.method.type === 'stream') this.streams.delete(call);
      this.host.callCount--;
      return;
    }
    this.host.closed(this);
    while (this.parked.length > 0) this.unpark();
  }

  methodThrew(error: unknown): void {
    this.host.guard.caught('grpc', 'a method was at work', error);
  }

  broken(error: unknown): void {
    this.connection.destroy();
    this.host.guard.caught('grpc', 'a connection was served', error);
  }

  // ---- as its listener sees it ----

  /** Takes no more calls. Those that wait for one answer may get it; streams end. */
  stop(): void {
    this.connection.stop();
    for (const call of [...this.streams]) call.stop(grpcStatus.unavailable, 'etcdserver: server stopped');
  }

  /** Pings a client that has been silent, and cuts off one that stays so. */
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
    if (silentMs >= grpcSilenceMsMax) this.connection.destroy();
    else if (silentMs >= grpcSilenceMsMax / 2 && !this.pinged) {
      this.pinged = true;
      this.connection.ping();
    }
  }

  // ---- inside ----

  /** Refuses what is no call of a method that there is. */
  private admit(stream: Http2Stream, headers: readonly HeaderField[]): AdmittedCall | null {
    if (headers === this.lastHeaders) return this.lastAdmitted;
    const { host } = this;
    const head = readCallHead(headers);
    if ('message' in head) {
      refuse(stream, headers, head);
      return null;
    }
    const method = host.methods.get(head.path);
    if (method === undefined) {
      const message = unknownMethodText(head.path, host.services);
      refuse(stream, headers, { httpStatus: 200, status: grpcStatus.unimplemented, message });
      return null;
    }
    this.lastHeaders = headers;
    this.lastAdmitted = { head, method, counts: host.counts.methods.get(head.path) };
    return this.lastAdmitted;
  }

  private unpark(): void {
    this.endWait();
    this.parked.shift()?.start();
  }
}

/** One HEADERS frame is the whole answer. */
function refuse(stream: Http2Stream, headers: readonly HeaderField[], refusal: Refusal): void {
  const contentType = headerOf(headers, 'content-type') ?? '';
  const fields = [
    { name: ':status', value: String(refusal.httpStatus) },
    { name: 'content-type', value: isGrpc(contentType) ? contentType : 'application/grpc' },
    ...statusFields(refusal.status, refusal.message),
  ];
  if (refusal.status === grpcStatus.unimplemented) fields.push({ name: 'grpc-accept-encoding', value: 'identity' });
  stream.respond(fields, true);
}
