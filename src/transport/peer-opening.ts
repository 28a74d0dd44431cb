// One connection between its first byte and the end of its handshake: bounded in time and in bytes. Tells once what became
// of it, and closes nothing that a reason is still to be written to. Knows no other connection.

import type { Socket } from 'node:net';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { FrameSplitter, FrameTooLargeError, frameOf } from '../wire/native-framing.js';
import { reasonOf } from './listen-address.js';
import type { TransportLimits } from './network-options.js';
import type { HandshakeResult, PeerHandshake } from './peer-handshake.js';
import type { PeerCounters } from './transport-counters.js';

/** Told once, of either kind; nothing after `destroy`. */
export interface PeerOpeningHandler {
  /** The handshake agreed. `rest`: bytes that came behind it in the same read. */
  opened(result: HandshakeResult, socket: Socket, rest: Bytes): void;
  /** It came to nothing. `leaving`: still open, with the reason on its way to the other side. */
  failed(reason: string, leaving: Socket | undefined): void;
}

export class PeerOpening {
  readonly #socket: Socket;
  readonly #handshake: PeerHandshake;
  readonly #counters: PeerCounters;
  readonly #handler: PeerOpeningHandler;
  readonly #splitter: FrameSplitter;
  readonly #timer: NodeJS.Timeout;
  readonly #onData = (chunk: Buffer): void => this.#receive(chunk);
  #over = false;

  constructor(options: {
    readonly socket: Socket;
    readonly handshake: PeerHandshake;
    /** Sent once the socket is connected; undefined on the side that was called. */
    readonly first: Bytes | undefined;
    readonly limits: TransportLimits;
    readonly counters: PeerCounters;
    readonly handler: PeerOpeningHandler;
  }) {
    const { socket, first, limits } = options;
    this.#socket = socket;
    this.#handshake = options.handshake;
    this.#counters = options.counters;
    this.#handler = options.handler;
    this.#splitter = new FrameSplitter(limits.handshakeFrameBytesMax);
    this.#timer = setTimeout(() => {
      this.#counters.handshakesTimedOut++;
      this.fail(`no handshake within ${limits.handshakeTimeoutMs} ms`);
    }, limits.handshakeTimeoutMs);
    socket.on('data', this.#onData);
    // These stay when the handshake is over and do nothing then.
    socket.on('end', () => this.fail('the peer closed the connection during the handshake'));
    socket.on('error', (error) => this.fail(reasonOf(error)));
    socket.on('close', () => this.fail('the connection was closed during the handshake'));
    if (first === undefined) return;
    socket.once('connect', () => {
      if (!this.#over) socket.write(frameOf(first));
    });
  }

  /** Closes at once and tells the reason; nothing when it is over already. */
  fail(reason: string): void {
    if (!this.#end()) return;
    this.#socket.destroy();
    this.#handler.failed(reason, undefined);
  }

  /** Closes at once and tells nothing. */
  destroy(): void {
    if (this.#end()) this.#socket.destroy();
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
      const frame = this.#nextFrame();
      if (frame === undefined) return;
      const step = this.#handshake.receive(frame);
      if (step.send !== undefined) this.#socket.write(frameOf(step.send));
      if (step.type === 'open') {
        this.#end();
        const { pendingBytes } = this.#splitter;
        const rest = pendingBytes > 0 ? this.#splitter.take(pendingBytes) : undefined;
        this.#handler.opened(step.result, this.#socket, rest ?? emptyBytes);
      } else if (step.type === 'refused') {
        this.#counters.handshakesRefused++;
        this.#end();
        this.#handler.failed(step.byPeer ? `the peer refused: ${step.reason}` : step.reason, this.#socket);
      }
    }
  }

  #nextFrame(): Bytes | undefined {
    try {
      return this.#splitter.next();
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      this.#counters.handshakesRefused++;
      this.fail('this is not a zabtree peer');
      return undefined;
    }
  }
}
