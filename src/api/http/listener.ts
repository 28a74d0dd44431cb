// HTTP/1.1 on the client port: routes one request a connection, whole and within its bounds, to whoever answers its path,
// and upgrades to a WebSocket that carries native frames. It opens no port: the client port hands it sockets.

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import type { Limits } from '../../config/limits.js';
import { assert } from '../../shared/assert.js';
import type { ArrivalBudget } from '../arrival-budget.js';
import type { FrontEndGuard } from '../front-end-guard.js';
import type { HttpRoute } from '../http-handler.js';
import type { QueueBudget } from '../queue-budget.js';
import { HttpExchange, pathOf } from './exchange.js';
import { collectBody } from './request-body.js';
import { collectHead, discard, RequestCarrier } from './request-carrier.js';

export interface HttpListenerOptions {
  /** Asked in this order. */
  readonly routes: readonly HttpRoute[];
  readonly limits: Limits;
  /** Shared with the other front ends. */
  readonly budget: QueueBudget;
  readonly arrivals: ArrivalBudget;
  readonly guard: FrontEndGuard;
  /** Takes a WebSocket that a client opened at `webSocketPath`; undefined: there are none. */
  readonly acceptWebSocket?: (socket: WebSocket, carrier: Socket) => void;
}

export const webSocketPath = '/v1/ws';

/** A request's line and headers, bytes. */
const headBytesMax = 16 * 2 ** 10;

/** Length and header of the native protocol's largest frame, which may come as one message. */
const frameHeaderBytes = 4;
/** Pieces, of the network's or of the client's making, that one message may come in: each costs memory beside its bytes. */
const messagePiecesMax = 8_192;

export class HttpListener {
  private readonly options: HttpListenerOptions;
  private readonly server: Server;
  /** Made for the first WebSocket: most nodes never see one, and need not load what it takes at their start. */
  private upgrades: Promise<WebSocketServer> | undefined;
  /** Connections that were not upgraded, each with the time that its present stage may take; undefined: any. */
  private readonly deadlines = new Map<Duplex, NodeJS.Timeout | undefined>();

  constructor(options: HttpListenerOptions) {
    this.options = options;
    this.server = createServer({ keepAlive: false }, (request, response) =>
      this.contain(request.socket, () => this.answer(request, response)),
    );
    this.server.on('upgrade', (request, carrier) =>
      this.contain(carrier, () => {
        assert(
          carrier instanceof RequestCarrier,
          'An upgrade was asked for on a connection that was not accepted here',
        );
        this.upgrade(request, carrier);
      }),
    );
  }

  /** Serves a connection from its first byte on; bytes that were read already are back in the socket. */
  accept(socket: Socket, commonName?: string): void {
    this.limitTime(socket, this.options.limits.handshakeTimeoutMs);
    socket.once('close', () => this.settle(socket));
    collectHead(socket, headBytesMax, (head, behind) =>
      this.contain(socket, () => {
        if (head === null) {
          socket.end(rawResponse(431, `A request's head may have ${headBytesMax} bytes`));
          discard(socket);
          return;
        }
        this.server.emit('connection', new RequestCarrier(socket, { head, behind, commonName }));
      }),
    );
  }

  /** An exception that nobody expected costs this connection. */
  private contain(socket: Duplex, work: () => void): void {
    try {
      work();
    } catch (error) {
      socket.destroy();
      this.caught(error);
    }
  }

  private caught(error: unknown): void {
    this.options.guard.caught('http', 'a request was answered', error);
  }

  /** Ends what is under way. WebSockets belong to whoever took them. */
  close(): void {
    for (const socket of [...this.deadlines.keys()]) socket.destroy();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const carrier: unknown = request.socket;
    assert(carrier instanceof RequestCarrier, 'A request came on a connection that was not accepted here');
    // The parser may have met a second one in the last piece of the first.
    if (carrier.requested) return;
    carrier.requested = true;
    response.setHeader('connection', 'close');
    const path = pathOf(request);
    const routes = this.options.routes.filter(({ prefix }) => path.startsWith(prefix));
    const { acceptWebSocket } = this.options;
    if (path === webSocketPath && acceptWebSocket !== undefined)
      answerText(response, 426, `${webSocketPath} speaks WebSocket only`);
    else if (routes.length === 0) answerText(response, 404, `Nothing is at ${path}`);
    else this.route(request, response, carrier, routes);
  }

  private route(
    request: IncomingMessage,
    response: ServerResponse,
    carrier: RequestCarrier,
    routes: readonly HttpRoute[],
  ): void {
    const { limits, budget, arrivals } = this.options;
    const { socket, commonName } = carrier;
    // The body has a time of its own, and how long an answer may take is for its handler to say.
    this.limitTime(socket, undefined);
    const answered = (): void => this.limitTime(socket, limits.requestArrivalTimeoutMs);
    const broken = (error: unknown): void => this.caught(error);
    collectBody(request, carrier, {
      limits,
      arrivals,
      contain: (work) => this.contain(socket, work),
      done: (body) => {
        const exchange = new HttpExchange(request, response, { body, commonName, budget, answered, broken });
        try {
          if (routes.some(({ handle }) => handle(exchange, exchange))) return;
        } catch (error) {
          exchange.broken(error);
          return;
        }
        answerText(response, 404, `Nothing is at ${exchange.path}`);
        answered();
      },
      refused: (status, text) => {
        answerText(response, status, text);
        answered();
      },
    });
  }

  private upgrade(request: IncomingMessage, carrier: RequestCarrier): void {
    const { socket, behind } = carrier;
    const { acceptWebSocket } = this.options;
    carrier.on('error', () => carrier.destroy());
    if (acceptWebSocket === undefined) {
      refuseUpgrade(carrier, 404, 'WebSocket connections are not taken at this address');
    } else if (pathOf(request) !== webSocketPath) {
      refuseUpgrade(carrier, 404, `WebSocket connections are taken at ${webSocketPath}`);
    } else if (!sameOrigin(request)) {
      refuseUpgrade(carrier, 403, 'WebSocket connections are taken from pages of this very server only');
    } else {
      this.upgrades ??= webSocketServer(this.options.limits);
      this.upgrades.then(
        (upgrades) =>
          // A socket that is gone meanwhile is no harm: it is not upgraded.
          this.contain(socket, () =>
            upgrades.handleUpgrade(request, socket, behind, (webSocket) => {
              this.settle(socket);
              acceptWebSocket(webSocket, socket);
              socket.resume();
            }),
          ),
        // Out of file descriptors, say: the next one tries again.
        () => {
          this.upgrades = undefined;
          socket.destroy();
        },
      );
    }
  }

  private limitTime(socket: Socket, timeoutMs: number | undefined): void {
    clearTimeout(this.deadlines.get(socket));
    if (socket.destroyed) return;
    this.deadlines.set(socket, timeoutMs === undefined ? undefined : setTimeout(() => socket.destroy(), timeoutMs));
  }

  private settle(socket: Duplex): void {
    clearTimeout(this.deadlines.get(socket));
    this.deadlines.delete(socket);
  }
}

async function webSocketServer(limits: Limits): Promise<WebSocketServer> {
  const { WebSocketServer } = await import('ws');
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: limits.requestFrameBytesMax + frameHeaderBytes,
    maxFragments: messagePiecesMax,
    maxBufferedChunks: messagePiecesMax,
  });
}

/** Browsers tell the page's origin; other clients send none. */
function sameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

function answerText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}

function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  socket.end(rawResponse(status, text));
}

/** A whole response, for sockets that no ServerResponse belongs to. */
export function rawResponse(status: number, text: string): string {
  const body = `${text}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  return `${head.join('\r\n')}\r\n\r\n${body}`;
}
