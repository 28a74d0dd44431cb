// Keeps one connection to one of the peers while it is wanted: connects, tries the next peer, pauses between rounds, and
// tells when the connection came and went. Knows nothing of requests.

import type { StoreError } from '../shared/errors.js';
import type { NativeFrame } from '../wire/native-messages.js';
import type { ClientTransport } from './client-transport.js';
import { type Credentials, type HelloPayload, NativeConnection } from './native-connection.js';
import { type ConnectionEvent, PeerRotation } from './peer-rotation.js';

export interface PeerConnectionOptions {
  readonly peers: readonly string[];
  readonly transport: ClientTransport;
  readonly credentials: Credentials | undefined;
  readonly onConnection: ((event: ConnectionEvent) => void) | undefined;
}

export interface PeerConnectionHandler {
  /** Whether anybody waits for a connection. */
  wanted(): boolean;
  connected(frame: NativeFrame): void;
  received(frame: NativeFrame): void;
  /** All frames that arrived together were given. */
  turnEnded(): void;
  /** The connection is gone or was left; the next one is not begun yet. */
  dropped(reason: string): void;
  /** The credentials are not accepted: trying on would not help. */
  denied(error: StoreError): void;
  /** A peer could not be reached, and so many whole rounds over all of them have failed in a row. */
  unreachable(rounds: number, reason: string): void;
}

const connectTimeoutMs = 1_000;

export class PeerConnection {
  readonly rotation: PeerRotation;
  readonly #options: PeerConnectionOptions;
  readonly #handler: PeerConnectionHandler;
  #connection: NativeConnection | undefined;
  #hello: HelloPayload | undefined;
  /** What the server said before it closed the connection. */
  #refusal: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  constructor(options: PeerConnectionOptions, handler: PeerConnectionHandler) {
    this.rotation = new PeerRotation(options.peers);
    this.#options = options;
    this.#handler = handler;
  }

  /** The connection, once the server has said hello. */
  get ready(): NativeConnection | undefined {
    return this.#hello === undefined ? undefined : this.#connection;
  }

  /** What the server said of itself; undefined while there is no connection. */
  get hello(): HelloPayload | undefined {
    return this.#hello;
  }

  /** Begins to connect, unless it has or nobody wants it. */
  connect(): void {
    if (this.#closed || this.#connection !== undefined || this.#timer !== undefined) return;
    if (!this.#handler.wanted()) return;
    this.#refusal = undefined;
    const { transport, credentials } = this.#options;
    this.#connection = new NativeConnection(
      transport,
      this.rotation.current,
      { connectTimeoutMs, credentials },
      {
        ready: (hello, frame) => this.#ready(hello, frame),
        denied: (error) => this.#handler.denied(error),
        frame: (frame) => this.#received(frame),
        turnEnded: () => this.#handler.turnEnded(),
        closed: (reason) => this.#lost(this.#refusal ?? reason),
      },
    );
  }

  /** Leaves the connection for the given peer. */
  usePeer(index: number): void {
    this.rotation.use(index);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drop('another peer was chosen');
    this.connect();
  }

  /** Leaves a peer that can be reached and cannot serve. */
  leavePeer(reason: string): void {
    this.rotation.failed();
    this.#drop(reason);
    this.#connectLater();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection?.close();
    this.#connection = undefined;
    this.#hello = undefined;
  }

  #ready(hello: HelloPayload, frame: NativeFrame): void {
    this.#hello = hello;
    this.rotation.reached();
    this.#options.onConnection?.({ type: 'connected', peer: this.rotation.current });
    this.#handler.connected(frame);
  }

  #received(frame: NativeFrame): void {
    const refuses = frame.id === 0 && frame.code !== 'OK' && frame.payload.type === 'none';
    if (refuses) this.#refusal = `${frame.code}: ${frame.message}`;
    else this.#handler.received(frame);
  }

  #lost(reason: string): void {
    const wasReady = this.#hello !== undefined;
    const peer = this.rotation.current;
    this.rotation.failed(wasReady ? undefined : reason);
    this.#drop(reason);
    this.#options.onConnection?.({ type: wasReady ? 'lost' : 'failed', peer, reason });
    if (!wasReady) this.#handler.unreachable(this.rotation.unreachableRounds, reason);
    this.#connectLater();
  }

  #drop(reason: string): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#hello = undefined;
    this.#handler.dropped(reason);
  }

  #connectLater(): void {
    if (this.#closed || this.#timer !== undefined || this.#connection !== undefined) return;
    const delayMs = this.rotation.delayMs();
    if (delayMs === 0) {
      this.connect();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.connect();
    }, delayMs);
  }
}
