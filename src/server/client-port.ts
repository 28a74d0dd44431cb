// The one port for clients, at as many addresses as are wanted: looks at the first bytes of a connection and hands it to
// the front end that speaks that protocol. Connections of all addresses are counted here, and those that never say a byte
// are closed here. It can be had before there is a service: until `serve`, whoever connects is sent away and tries the
// next member.

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { ArrivalBudget } from '../api/arrival-budget.js';
import type { GrpcMethods } from '../api/etcd/grpc/grpc-call.js';
import type { GrpcCounts } from '../api/etcd/grpc/grpc-counts.js';
import { beginsHttp2, GrpcListener, goAwayBytes } from '../api/etcd/grpc/grpc-listener.js';
import { FrontEndGuard } from '../api/front-end-guard.js';
import { healthzRoute } from '../api/http/commands/healthz.js';
import { HttpListener, rawResponse } from '../api/http/listener.js';
import type { HttpRoute } from '../api/http-handler.js';
import { plainBytes } from '../api/native/byte-stream.js';
import { NativeListener } from '../api/native/listener.js';
import { TcpStream } from '../api/native/tcp-stream.js';
import { WebSocketStream } from '../api/native/websocket-stream.js';
import { QueueBudget } from '../api/queue-budget.js';
import type { Limits } from '../config/limits.js';
import type { ClientListenerConfig, ClientTlsConfig, NodeConfig } from '../config/node-config.js';
import type { Log } from '../observability/log.js';
import type { StoreService } from '../service/store-service.js';
import { StoreError } from '../shared/errors.js';
import { tlsFirstByte } from '../transport/tls-files.js';
import { prefaceFirstByte } from '../wire/native-framing.js';
import { ClientListener } from './client-listener.js';
import { ClientTls } from './client-tls.js';

export interface ClientPortOptions {
  readonly config: Pick<NodeConfig, 'clientTls' | 'limits'> & {
    readonly listen: { readonly request: string };
    readonly furtherListeners?: NodeConfig['furtherListeners'];
  };
  readonly log: Log;
}

/** What is known of a connection before it says what it speaks. */
interface ArrivedConnection {
  /** At what address. */
  readonly door: ClientListenerConfig;
  /** There are too many: it is to be told so. */
  readonly crowded: boolean;
  readonly secure: boolean;
  /** Of the client's verified certificate. */
  readonly commonName: string | undefined;
}

interface FrontEnds {
  readonly native: NativeListener;
  readonly http: HttpListener;
  /** For addresses that are for monitors only. */
  readonly monitors: HttpListener;
  readonly grpc: GrpcListener;
}

/** What the port answers with. */
export interface ClientServices {
  readonly service: StoreService;
  /** gRPC methods, over HTTP/2. */
  readonly methods?: GrpcMethods;
  /** HTTP/1.1 paths besides the port's own. */
  readonly routes?: readonly HttpRoute[];
  /** All that there is at addresses for monitors. */
  readonly monitorRoutes?: readonly HttpRoute[];
}

export class ClientPort {
  /** Told of what no front end expected. */
  readonly guard: FrontEndGuard;
  private readonly limits: Limits;
  private readonly log: Log;
  private readonly tlsConfig: ClientTlsConfig | undefined;
  /** By what is behind it. */
  private readonly tls = new Map<ClientListenerConfig['serves'], ClientTls>();
  private frontEnds: FrontEnds | null = null;
  private readonly doors: readonly ClientListenerConfig[];
  private readonly listeners: readonly ClientListener[];
  private readonly sockets = new Set<Socket>();
  private readonly budget: QueueBudget;
  private readonly arrivals: ArrivalBudget;

  constructor({ config, log }: ClientPortOptions) {
    this.limits = config.limits;
    this.tlsConfig = config.clientTls;
    this.log = log;
    this.guard = new FrontEndGuard(log);
    const { clientQueueBytesTotalMax, clientAnswersBytesTotalMax, clientArrivalBytesTotalMax } = config.limits;
    this.budget = new QueueBudget(clientQueueBytesTotalMax, clientAnswersBytesTotalMax);
    this.arrivals = new ArrivalBudget(clientArrivalBytesTotalMax);
    this.doors = [mainDoor(config), ...(config.furtherListeners ?? [])];
    this.listeners = this.doors.map(
      (door) =>
        new ClientListener({
          address: door.address,
          log,
          arrived: (socket) => this.contain(socket, () => this.admit(socket, door)),
        }),
    );
  }

  /** The first address' port as bound; 0 before listen. */
  get boundPort(): number {
    return this.boundPorts[0] ?? 0;
  }

  /** Of all addresses, in the order of the configuration. */
  get boundPorts(): readonly number[] {
    return this.listeners.map(({ boundPort }) => boundPort);
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
  serve({ service, methods = new Map(), routes = [], monitorRoutes = [] }: ClientServices): void {
    const { limits, log, budget, arrivals, guard } = this;
    const shared = { limits, budget, arrivals, guard };
    const native = new NativeListener({ ...shared, service, log });
    const acceptWebSocket = (socket: WebSocket, carrier: Socket): void =>
      native.accept(new WebSocketStream(socket, carrier));
    const http = new HttpListener({ ...shared, routes: [healthzRoute(service), ...routes], acceptWebSocket });
    const monitors = new HttpListener({ ...shared, routes: monitorRoutes });
    this.frontEnds = { native, http, monitors, grpc: new GrpcListener({ ...shared, methods }) };
  }

  /** Rejects with one clear error when an address cannot be had; then none is. */
  async listen(): Promise<void> {
    this.openTls();
    const outcomes = await Promise.allSettled(this.listeners.map((listener) => listener.listen()));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) return;
    this.closeTls();
    await Promise.all(this.listeners.map((listener) => listener.close()));
    throw failed.reason;
  }

  /** Takes no more connections, tells the clients that there are, and closes them; resolves when all are gone. */
  close(): Promise<void> {
    this.closeTls();
    const closed = Promise.all(this.listeners.map((listener) => listener.close()));
    this.frontEnds?.native.close();
    this.frontEnds?.http.close();
    this.frontEnds?.monitors.close();
    this.frontEnds?.grpc.close();
    const forced = setTimeout(() => this.closeConnections(), closeGraceMs);
    return closed.then(() => clearTimeout(forced));
  }

  /** Cuts every client off, now. */
  closeConnections(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private admit(socket: Socket, door: ClientListenerConfig): void {
    const { clientConnectionsMax, clientRefusalsMax } = this.limits;
    if (this.frontEnds === null || this.sockets.size >= clientConnectionsMax + clientRefusalsMax) {
      socket.destroy();
      return;
    }
    const crowded = this.sockets.size >= clientConnectionsMax;
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    this.listenTo(socket, { door, crowded, secure: false, commonName: undefined });
  }

  /** Waits for the first bytes of a connection, or of what is inside of its TLS. */
  private listenTo(socket: Socket, arrived: ArrivedConnection): void {
    // A reset before anything was said is nobody's concern; `close` follows.
    socket.on('error', () => socket.destroy());
    const silence = setTimeout(() => socket.destroy(), this.limits.handshakeTimeoutMs);
    socket.once('close', () => clearTimeout(silence));
    let first: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer): void => this.contain(socket, () => take(chunk));
    const take = (chunk: Buffer): void => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      const http2 = beginsHttp2(first);
      if (http2 === undefined) return;
      socket.off('data', onData);
      clearTimeout(silence);
      const { door, secure, crowded } = arrived;
      const tls = door.tls === 'none' ? undefined : this.tls.get(door.serves);
      // To a client that is refused a handshake is more than it is owed.
      if (first[0] === tlsFirstByte && tls !== undefined && !secure && !crowded) {
        socket.pause();
        socket.unshift(first);
        tls.accept(socket);
      } else this.route(socket, first, { ...arrived, http2 });
    };
    socket.on('data', onData);
  }

  private route(
    socket: Socket,
    first: Buffer,
    { http2, ...arrived }: ArrivedConnection & { readonly http2: boolean },
  ): void {
    if (this.frontEnds === null) return;
    const { native, http, monitors, grpc } = this.frontEnds;
    const { door, crowded, commonName } = arrived;
    const byte = first[0] ?? 0;
    const refusal = this.refusalOf(arrived, byte !== prefaceFirstByte && !http2);
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
        (door.serves === 'monitors' ? monitors : http).accept(socket, commonName);
        socket.resume();
      }
    }
  }

  /** An exception that nobody expected costs this connection. */
  private contain(socket: Socket, work: () => void): void {
    try {
      work();
    } catch (error) {
      socket.destroy();
      this.guard.caught('port', 'a connection began', error);
    }
  }

  private openTls(): void {
    const { tlsConfig, limits, log } = this;
    if (tlsConfig === undefined) return;
    for (const door of this.doors) {
      const { serves } = door;
      if (door.tls === 'none' || this.tls.has(serves)) continue;
      const secured = { door, crowded: false, secure: true } as const;
      const tls = new ClientTls({
        config: tlsConfig,
        handshakeTimeoutMs: limits.handshakeTimeoutMs,
        log,
        // Past the handshake one door with TLS is like another.
        accept: (socket, commonName) => this.listenTo(socket, { ...secured, commonName }),
        contain: (socket, work) => this.contain(socket, work),
      });
      this.tls.set(serves, tls);
    }
  }

  private closeTls(): void {
    for (const tls of this.tls.values()) tls.close();
  }

  private refusalOf({ door, crowded, secure }: ArrivedConnection, isHttp: boolean): StoreError | null {
    if (crowded) return this.crowdedError();
    if (!secure && door.tls === 'required') {
      return new StoreError('UNSUPPORTED', 'This node takes clients with TLS only');
    }
    if (door.serves === 'clients' || isHttp) return null;
    return new StoreError('UNSUPPORTED', 'This address tells of metrics and health only, over HTTP/1.1');
  }

  private crowdedError(): StoreError {
    const { clientConnectionsMax } = this.limits;
    return new StoreError('OVERLOADED', `This node has ${clientConnectionsMax} client connections: that is the limit`);
  }
}

function mainDoor({ listen, clientTls }: ClientPortOptions['config']): ClientListenerConfig {
  const tls = clientTls === undefined ? 'none' : clientTls.allowPlain ? 'allowed' : 'required';
  return { address: listen.request, tls, serves: 'clients' };
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
