// One open connection to a member: frames in and out, sealed when there is a cluster key. Merges what is sent in one
// callback into one write. Knows nothing of handshakes or of other links, and never reconnects.

import type { Socket } from 'node:net';
import type { Bytes } from '../shared/bytes.js';
import { FrameSplitter, FrameTooLargeError } from '../wire/native-framing.js';
import { type FrameSealer, tagBytes } from './cluster-key.js';
import { reasonOf } from './listen-address.js';
import type { TransportLimits } from './network-options.js';
import type { PeerCounters } from './transport-counters.js';

/** What a link tells its network. Nothing is told any more once it was closed from either side. */
export interface PeerLinkHandler {
  received(frame: Bytes): void;
  drained(): void;
  closed(reason: string): void;
}

/** Chunks up to this many bytes are copied behind each other, longer ones are handed to the socket as they are. */
const copyBytesMax = 4_096;
/** Memory that copies are made in, taken anew when it is used up. */
const stageBytes = 16_384;
const lengthBytes = 4;

export class PeerLink {
  readonly #socket: Socket;
  readonly #limits: TransportLimits;
  readonly #outgoing: FrameSealer | undefined;
  readonly #incoming: FrameSealer | undefined;
  readonly #splitter: FrameSplitter;
  readonly #handler: PeerLinkHandler;
  readonly #counters: PeerCounters;
  /** Not written yet: whole pieces, then stage[stageStart .. stageEnd). */
  #pieces: Bytes[] = [];
  #pendingBytes = 0;
  #stage = Buffer.allocUnsafe(0);
  #stageStart = 0;
  #stageEnd = 0;
  #flushScheduled = false;
  #aboveLow = false;
  #open = true;
  #failure: string | undefined;

  constructor(options: {
    readonly socket: Socket;
    readonly limits: TransportLimits;
    readonly outgoing: FrameSealer | undefined;
    readonly incoming: FrameSealer | undefined;
    readonly handler: PeerLinkHandler;
    readonly counters: PeerCounters;
  }) {
    this.#socket = options.socket;
    this.#limits = options.limits;
    this.#outgoing = options.outgoing;
    this.#incoming = options.incoming;
    this.#handler = options.handler;
    this.#counters = options.counters;
    const overhead = options.incoming === undefined ? 0 : tagBytes;
    this.#splitter = new FrameSplitter(options.limits.peerFrameBytesMax + overhead);
    const socket = this.#socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    // The other side will send no more: nothing is gained by waiting until our own queue has gone out.
    socket.on('end', () => this.#fail('the peer closed the connection'));
    socket.on('error', (error) => this.#fail(reasonOf(error)));
    socket.on('close', () => this.#fail('the connection is gone'));
  }

  get queuedBytes(): number {
    return this.#pendingBytes + this.#socket.writableLength;
  }

  /** Bytes that came behind the handshake in the same read. */
  begin(rest: Bytes): void {
    if (rest.length > 0) this.#receive(rest);
  }

  send(chunks: readonly Bytes[]): void {
    if (!this.#open || this.#failure !== undefined) return;
    let payloadBytes = 0;
    for (const chunk of chunks) payloadBytes += chunk.length;
    if (payloadBytes > this.#limits.peerFrameBytesMax) {
      this.#failSoon(`a frame of ${payloadBytes} bytes was to be sent, the limit is ${this.#limits.peerFrameBytesMax}`);
      return;
    }
    if (this.queuedBytes + payloadBytes > this.#limits.peerQueueBytesMax) {
      this.#failSoon(`its outgoing queue passed ${this.#limits.peerQueueBytesMax} bytes`);
      return;
    }
    const sealer = this.#outgoing;
    this.#putLength(sealer === undefined ? payloadBytes : payloadBytes + tagBytes);
    for (const chunk of chunks) this.#put(chunk);
    if (sealer !== undefined) this.#put(sealer.tag(chunks, payloadBytes));
    this.#counters.framesSent++;
    this.#counters.bytesSent += payloadBytes;
    if (this.queuedBytes > this.#limits.peerQueueLowBytes) this.#aboveLow = true;
    if (!this.#flushScheduled) {
      this.#flushScheduled = true;
      process.nextTick(this.#flush);
    }
  }

  /** Hands what was sent to the socket and takes no more part: the socket's owner closes it. Tells nothing. */
  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#flush();
  }

  /** Closes at once and tells nothing. */
  destroy(): void {
    this.#open = false;
    this.#socket.destroy();
  }

  #putLength(length: number): void {
    this.#room(lengthBytes);
    this.#stageEnd = this.#stage.writeUInt32BE(length, this.#stageEnd);
    this.#pendingBytes += lengthBytes;
  }

  #put(chunk: Bytes): void {
    this.#pendingBytes += chunk.length;
    if (chunk.length > copyBytesMax) {
      this.#cutStage();
      this.#pieces.push(chunk);
      return;
    }
    this.#room(chunk.length);
    this.#stage.set(chunk, this.#stageEnd);
    this.#stageEnd += chunk.length;
  }

  /** Memory that was handed to the socket is never written again: a new stage is taken instead. */
  #room(byteLength: number): void {
    if (this.#stageEnd + byteLength <= this.#stage.length) return;
    this.#cutStage();
    this.#stage = Buffer.allocUnsafeSlow(stageBytes);
    this.#stageStart = 0;
    this.#stageEnd = 0;
  }

  #cutStage(): void {
    if (this.#stageEnd === this.#stageStart) return;
    this.#pieces.push(this.#stage.subarray(this.#stageStart, this.#stageEnd));
    this.#stageStart = this.#stageEnd;
  }

  readonly #flush = (): void => {
    this.#flushScheduled = false;
    if (this.#socket.destroyed) return;
    this.#cutStage();
    const pieces = this.#pieces;
    const last = pieces.length - 1;
    if (last < 0) return;
    this.#pieces = [];
    this.#pendingBytes = 0;
    const socket = this.#socket;
    if (last > 0) socket.cork();
    for (let i = 0; i < last; i++) socket.write(pieces[i] as Bytes);
    socket.write(pieces[last] as Bytes, this.#written);
    if (last > 0) socket.uncork();
  };

  readonly #written = (): void => {
    if (!this.#aboveLow || !this.#open || this.queuedBytes > this.#limits.peerQueueLowBytes) return;
    this.#aboveLow = false;
    this.#handler.drained();
  };

  #receive(chunk: Bytes): void {
    if (!this.#open) return;
    // A Buffer's slices share memory where a Uint8Array's are copies; only plain arrays leave the transport.
    this.#splitter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    try {
      for (let frame = this.#splitter.next(); frame !== undefined; frame = this.#splitter.next()) {
        const payload = this.#incoming === undefined ? frame : this.#incoming.open(frame);
        if (payload === undefined) {
          this.#counters.framesRefused++;
          this.#fail('a frame was not authentic: changed, lost or repeated on its way');
          return;
        }
        this.#counters.framesReceived++;
        this.#counters.bytesReceived += payload.length;
        this.#handler.received(payload);
        if (!this.#open) return;
      }
    } catch (error) {
      if (!(error instanceof FrameTooLargeError)) throw error;
      this.#counters.framesRefused++;
      this.#fail(error.message);
    }
  }

  /** For failures found while being called: the caller gets its call back first. */
  #failSoon(reason: string): void {
    this.#failure = reason;
    process.nextTick(() => this.#fail(reason));
  }

  #fail(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.destroy();
    this.#handler.closed(this.#failure ?? reason);
  }
}
