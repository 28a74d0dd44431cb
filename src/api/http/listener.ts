// HTTP/1.1 on the client port: health, and the upgrade to a WebSocket that carries native frames. One request a
// connection, within a bounded time. It opens no port: the client port hands it sockets.

import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import type { Limits } from '../../config/limits.js';
import type { StoreService } from '../../service/store-service.js';
import { assert } from '../../shared/assert.js';
import { answerHealth } from './commands/healthz.js';
import { collectHead, discard, RequestHead } from './request-head.js';

export interface HttpListenerOptions {
  readonly service: StoreService;
  readonly limits: Limits;
  /** Takes a WebSocket that a client opened at `webSocketPath`. */
  readonly acceptWebSocket: (socket: WebSocket, carrier: Duplex) => void;
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
  /** Connections with a request that is not answered or upgraded yet. */
  private readonly deadlines = new Map<Duplex, NodeJS.Timeout>();

  constructor(options: HttpListenerOptions) {
    this.options = options;
    this.server = createServer({ keepAlive: false }, (request, response) => this.answer(request, response));
    this.server.on('upgrade', (request, carrier) => {
      assert(carrier instanceof RequestHead, 'An upgrade was asked for on a connection that was not accepted here');
      this.upgrade(request, carrier);
    });
  }

  /** Serves a connection from its first byte on; bytes that were read already are back in the socket. */
  accept(socket: Socket): void {
    this.deadlines.set(
      socket,
      setTimeout(() => socket.destroy(), this.options.limits.handshakeTimeoutMs),
    );
    socket.once('close', () => this.settle(socket));
    collectHead(socket, headBytesMax, (head, behind) => {
      if (head === null) {
        socket.end(rawResponse(431, `A request's head may have ${headBytesMax} bytes`));
        discard(socket);
        return;
      }
      this.server.emit('connection', new RequestHead(socket, { head, behind }));
    });
  }

  /** Ends what is under way. WebSockets belong to whoever took them. */
  close(): void {
    for (const socket of [...this.deadlines.keys()]) socket.destroy();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('connection', 'close');
    const path = pathOf(request);
    if (path === '/healthz') answerHealth(this.options.service, request, response);
    else if (path === webSocketPath) answerText(response, 426, `${webSocketPath} speaks WebSocket only`);
    else answerText(response, 404, `Nothing is at ${path}`);
  }

  private upgrade(request: IncomingMessage, carrier: RequestHead): void {
    const { socket, behind } = carrier;
    carrier.on('error', () => carrier.destroy());
    if (pathOf(request) !== webSocketPath) {
      refuseUpgrade(carrier, 404, `WebSocket connections are taken at ${webSocketPath}`);
    } else if (!sameOrigin(request)) {
      refuseUpgrade(carrier, 403, 'WebSocket connections are taken from pages of this very server only');
    } else {
      this.upgrades ??= webSocketServer(this.options.limits);
      this.upgrades.then(
        (upgrades) =>
          // A socket that is gone meanwhile is no harm: it is not upgraded.
          upgrades.handleUpgrade(request, socket, behind, (webSocket) => {
            this.settle(socket);
            this.options.acceptWebSocket(webSocket, socket);
            socket.resume();
          }),
        // Out of file descriptors, say: the next one tries again.
        () => {
          this.upgrades = undefined;
          socket.destroy();
        },
      );
    }
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

function pathOf(request: IncomingMessage): string {
  const url = request.url ?? '/';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
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
