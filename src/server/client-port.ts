// The one port for clients: looks at the first bytes of a connection and hands it to the front end that speaks that
// protocol. Connections are counted here, and those that never say a byte are closed here. It can be had before there is
// a service: until `serve`, whoever connects is sent away and tries the next member.

import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { ArrivalBudget } from '../api/arrival-budget.js';
import type { GrpcMethods } from '../api/etcd/grpc/grpc-call.js';
import type { GrpcCounts } from '../api/etcd/grpc/grpc-counts.js';
import { beginsHttp2, GrpcListener, goAwayBytes } from '../api/etcd/grpc/grpc-listener.js';
import { healthzRoute } from '../api/http/commands/healthz.js';
import { HttpListener, rawResponse } from '../api/http/listener.js';
import type { HttpRoute } from '../api/http-handler.js';
import { plainBytes } from '../api/native/byte-stream.js';
import { NativeListener } from '../api/native/listener.js';
import { TcpStream } from '../api/native/tcp-stream.js';
import { WebSocketStream } from '../api/native/websocket-stream.js';
import { QueueBudget } from '../api/queue-budget.js';
import type { Limits } from '../config/limits.js';
import type { ClientTlsConfig, NodeConfig } from '../config/node-config.js';
import type { Log } from '../observability/log.js';
import type { StoreService } from '../service/store-service.js';
import { parseAddress } from '../shared/address.js';
import { StoreError } from '../shared/errors.js';
import { prefaceFirstByte } from '../wire/native-framing.js';
import { ClientTls, tlsFirstByte } from './client-tls.js';

export interface ClientPortOptions {
  readonly config: Pick<NodeConfig, 'clientTls' | 'limits'> & { readonly listen: { readonly request: string } };
  readonly log: Log;
}

/** What is known of a connection before it says what it speaks. */
interface ArrivedConnection {
  /** There are too many: it is to be told so. */
  readonly crowded: boolean;
  readonly secure: boolean;
  /** Of the client's verified certificate. */
  readonly commonName: string | undefined;
}

interface FrontEnds {
  readonly native: NativeListener;
  readonly http: HttpListener;
  readonly grpc: GrpcListener;
}

/** What the port answers with. */
export interface ClientServices {
  readonly service: StoreService;
  /** gRPC methods, over HTTP/2. */
  readonly methods?: GrpcMethods;
  /** HTTP/1.1 paths besides the port's own. */
  readonly routes?: readonly HttpRoute[];
}

export class ClientPort {
  private readonly address: string;
  private readonly limits: Limits;
  private readonly log: Log;
  private readonly tlsConfig: ClientTlsConfig | undefined;
  private tls: ClientTls | null = null;
  private frontEnds: FrontEnds | null = null;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly budget: QueueBudget;
  private readonly arrivals: ArrivalBudget;

  constructor({ config, log }: ClientPortOptions) {
    this.address = config.listen.request;
    this.limits = config.limits;
    this.tlsConfig = config.clientTls;
    this.log = log;
    this.budget = new QueueBudget(config.limits.clientQueueBytesTotalMax);
    this.arrivals = new ArrivalBudget(config.limits.clientArrivalBytesTotalMax);
    this.server = createServer({ noDelay: true }, (socket) => this.admit(socket));
  }

  /** The port as bound; 0 before listen. */
  get boundPort(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  get connectionCount(): number {
    return this.sockets.size;
  }

  /** gRPC calls that are under way. */
  get callCount(): number {
    return this.frontEnds?.grpc.callCount ?? 0;
  }

  /** What went through gRPC calls; undefined until there is a service. */
  get grpcCounts(): GrpcCounts | undefined {
    return this.frontEnds?.grpc.counts;
  }

  /** Bytes held for clients, unsent or half received. */
  get heldBytes(): number {
    return this.budget.heldBytes;
  }

  /** From now on connections are answered by these. */
  serve({ service, methods = new Map(), routes = [] }: ClientServices): void {
    const { limits, log, budget, arrivals } = this;
    const shared = { limits, budget, arrivals };
    const native = new NativeListener({ ...shared, service, log });
    const acceptWebSocket = (socket: WebSocket, carrier: Duplex): void =>
      native.accept(new WebSocketStream(socket, carrier));
    const http = new HttpListener({ ...shared, routes: [healthzRoute(service), ...routes], acceptWebSocket });
    this.frontEnds = { native, http, grpc: new GrpcListener({ ...shared, methods }) };
  }

  /** Rejects with one clear error when the address cannot be had. */
  listen(): Promise<void> {
    const address = parseAddress(this.address);
    if (typeof address === 'string') return Promise.reject(new Error(`Cannot listen for clients: ${address}`));
    try {
      this.tls = this.openTls();
    } catch (error) {
      return Promise.reject(error);
    }
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        this.tls?.close();
        reject(new Error(`Cannot listen for clients on ${this.address}: ${reasonOf(cause)}`, { cause }));
      });
      server.listen(address.port, address.host, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.log.warn('The client port failed to accept a connection', { error }));
        resolve();
      });
    });
  }

  /** Takes no more connections, tells the clients that there are, and closes them; resolves when all are gone. */
  close(): Promise<void> {
    this.tls?.close();
    this.frontEnds?.native.close();
    this.frontEnds?.http.close();
    this.frontEnds?.grpc.close();
    return new Promise((resolve) => {
      const forced = setTimeout(() => this.closeConnections(), closeGraceMs);
      this.server.close(() => {
        clearTimeout(forced);
        resolve();
      });
    });
  }

  /** Cuts every client off, now. */
  closeConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private admit(socket: Socket): void {
    const { clientConnectionsMax, clientRefusalsMax } = this.limits;
    if (this.frontEnds === null || this.sockets.size >= clientConnectionsMax + clientRefusalsMax) {
      socket.destroy();
      return;
    }
    const crowded = this.sockets.size >= clientConnectionsMax;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.listenTo(socket, { crowded, secure: false, commonName: undefined });
  }

  /** Waits for the first bytes of a connection, or of what is inside of its TLS. */
  private listenTo(socket: Socket, arrived: ArrivedConnection): void {
    // A reset before anything was said is nobody's concern; `close` follows.
    socket.on('error', () => socket.destroy());
    const silence = setTimeout(() => socket.destroy(), this.limits.handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(silence));
    let first: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      const http2 = beginsHttp2(first);
      if (http2 === undefined) return;
      socket.off('data', onData);
      clearTimeout(silence);
      // To a client that is refused a handshake is more than it is owed.
      if (first[0] === tlsFirstByte && this.tls !== null && !arrived.secure && !arrived.crowded) {
        socket.pause();
        socket.unshift(first);
        this.tls.accept(socket);
      } else this.route(socket, first, { ...arrived, http2 });
    };
    socket.on('data', onData);
  }

  private route(
    socket: Socket,
    first: Buffer,
    { http2, crowded, secure, commonName }: ArrivedConnection & { readonly http2: boolean },
  ): void {
    if (this.frontEnds === null) return;
    const { native, http, grpc } = this.frontEnds;
    const byte = first[0] ?? 0;
    const refusal = this.refusalOf({ crowded, secure });
    if (byte === prefaceFirstByte) {
      const begun = plainBytes(first);
      native.accept(new TcpStream(socket), refusal === null ? { first: begun } : { first: begun, refusal });
    } else if (!isLetter(byte)) {
      socket.destroy();
    } else if (refusal !== null) {
      const { message } = refusal;
      socket.setTimeout(this.limits.handshakeTimeoutMs, () => socket.destroy());
      socket.end(http2 ? goAwayBytes(message) : rawResponse(crowded ? 503 : 400, message));
    } else {
      socket.pause();
      socket.unshift(first);
      if (http2) {
        socket.setKeepAlive(true, keepAliveMs);
        grpc.accept(socket, commonName);
      } else {
        http.accept(socket, commonName);
        socket.resume();
      }
    }
  }

  private openTls(): ClientTls | null {
    const { tlsConfig, limits, log } = this;
    if (tlsConfig === undefined) return null;
    return new ClientTls({
      config: tlsConfig,
      handshakeTimeoutMs: limits.handshakeTimeoutMs,
      log,
      accept: (socket, commonName) => this.listenTo(socket, { crowded: false, secure: true, commonName }),
    });
  }

  private refusalOf({ crowded, secure }: Pick<ArrivedConnection, 'crowded' | 'secure'>): StoreError | null {
    if (crowded) return this.crowdedError();
    if (secure || this.tlsConfig === undefined || this.tlsConfig.allowPlain) return null;
    return new StoreError('UNSUPPORTED', 'This node takes clients with TLS only');
  }

  private crowdedError(): StoreError {
    const { clientConnectionsMax } = this.limits;
    return new StoreError('OVERLOADED', `This node has ${clientConnectionsMax} client connections: that is the limit`);
  }
}

/** Clients that do not go by themselves are cut off after this. */
const closeGraceMs = 1_000;

/** A gRPC connection may be silent for hours: a client that vanished without a word is noticed by probes after so long. */
const keepAliveMs = 30_000;

/** HTTP methods begin with an ASCII letter, and so will other text protocols. */
function isLetter(byte: number): boolean {
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the port is in use';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address';
    case 'EACCES':
      return 'permission denied';
    case 'ENOTFOUND':
      return 'the name does not resolve';
    default:
      return error.message;
  }
}
