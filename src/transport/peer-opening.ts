// One connection between its first byte and the end of its handshake, TLS included where members speak that: bounded in time
// and in bytes. Tells once what became of it, and closes nothing that a reason is still to be written to. Knows no other
// connection.

import type { Socket } from 'node:net';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { encodeHandshake } from '../wire/handshake-codec.js';
import { FrameSplitter, FrameTooLargeError, frameOf } from '../wire/native-framing.js';
import { reasonOf } from './listen-address.js';
import type { TransportLimits } from './network-options.js';
import type { HandshakeResult, PeerHandshake } from './peer-handshake.js';
import type { PeerSocket, PeerSockets } from './peer-sockets.js';
import { tlsFirstByte } from './tls-files.js';
import type { PeerCounters } from './transport-counters.js';

/** Told once, of either kind; nothing after `destroy`. */
export interface PeerOpeningHandler {
  /** The handshake agreed. `rest`: bytes that came behind it in the same read. */
  opened(result: HandshakeResult, socket: Socket, rest: Bytes): void;
  /** It came to nothing. `leaving`: still open, with the reason on its way to the other side. */
  failed(reason: string, leaving: Socket | undefined): void;
}

export interface PeerOpeningOptions {
  /** A TCP connection: one that came, or one that is being made to `host`. */
  readonly tcp: Socket;
  readonly host: string | undefined;
  readonly sockets: PeerSockets;
  /** `first` is sent at once; undefined on the side that was called. */
  readonly begin: (made: PeerSocket) => { readonly handshake: PeerHandshake; readonly first: Bytes | undefined };
  readonly limits: TransportLimits;
  readonly counters: PeerCounters;
  readonly handler: PeerOpeningHandler;
}

export class PeerOpening {
  readonly #options: PeerOpeningOptions;
  readonly #splitter: FrameSplitter;
  readonly #timer: NodeJS.Timeout;
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
  /** What is spoken over: until TLS is there, the TCP connection. */
  #socket: Socket;
  #handshake: PeerHandshake | undefined;
  #over = false;

  constructor(options: PeerOpeningOptions) {
    const { tcp, host, sockets, limits } = options;
    this.#options = options;
    this.#socket = tcp;
    this.#splitter = new FrameSplitter(limits.handshakeFrameBytesMax);
    this.#timer = setTimeout(() => {
      options.counters.handshakesTimedOut++;
      this.fail(`no handshake within ${limits.handshakeTimeoutMs} ms`);
    }, limits.handshakeTimeoutMs);
    this.#watch(tcp);
    const outcome = {
      ready: (made: PeerSocket) => this.#begin(made),
      failed: (reason: string) => this.fail(reason),
    };
    if (host === undefined) sockets.accept(tcp, outcome);
    else {
      tcp.once('connect', () => {
        if (!this.#over) sockets.connect(tcp, host, outcome);
      });
    }
  }

  /** Closes at once and tells the reason; nothing when it is over already. */
  fail(reason: string): void {
    if (!this.#end()) return;
    this.#socket.destroy();
    this.#options.handler.failed(reason, undefined);
  }

  /** Closes at once and tells nothing. */
  destroy(): void {
    if (this.#end()) this.#socket.destroy();
  }

  /** What is watched stays when the handshake is over and does nothing then. */
  #watch(socket: Socket): void {
    socket.on('end', () => this.fail('the peer closed the connection during the handshake'));
    socket.on('error', (error) => this.fail(reasonOf(error)));
    socket.on('close', () => this.fail('the connection was closed during the handshake'));
  }

  #begin(made: PeerSocket): void {
    const { socket, objection } = made;
    if (this.#over) {
      socket.destroy();
      return;
    }
    if (socket !== this.#socket) this.#watch(socket);
    this.#socket = socket;
    if (objection !== undefined) {
      this.#refuse(objection);
      return;
    }
    const { handshake, first } = this.#options.begin(made);
    this.#handshake = handshake;
    socket.on('data', this.#onData);
    if (first !== undefined) socket.write(frameOf(first));
  }

  /** False when it was over already. */
  #end(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#socket.off('data', this.#onData);
    return true;
  }

  #receive(chunk: Buffer): void {
    this.#splitter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    while (!this.#over) {
      const frame = this.#nextFrame(chunk);
      const step = frame === undefined ? undefined : this.#handshake?.receive(frame);
      if (step === undefined) return;
      if (step.send !== undefined) this.#socket.write(frameOf(step.send));
      if (step.type === 'open') {
        this.#end();
        const { pendingBytes } = this.#splitter;
        const rest = pendingBytes > 0 ? this.#splitter.take(pendingBytes) : undefined;
        this.#options.handler.opened(step.result, this.#socket, rest ?? emptyBytes);
      } else if (step.type === 'refused') {
        this.#leave(step.byPeer ? `the peer refused: ${step.reason}` : step.reason);
      }
    }
  }

  #nextFrame(chunk: Buffer): Bytes | undefined {
    try {
      return this.#splitter.next();
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      // No frame of a handshake begins with this byte: its length would be too large.
      if (chunk[0] === tlsFirstByte) this.#refuse('the connector speaks TLS, and PeerTls is not set here');
      else {
        this.#options.counters.handshakesRefused++;
        this.fail('this is not a zabtree peer');
      }
      return undefined;
    }
  }

  /** For what the handshake itself cannot tell the other side. */
  #refuse(reason: string): void {
    this.#socket.write(frameOf(encodeHandshake({ type: 'refusal', reason })));
    this.#leave(reason);
  }

  #leave(reason: string): void {
    this.#options.counters.handshakesRefused++;
    if (this.#end()) this.#options.handler.failed(reason, this.#socket);
  }
}
