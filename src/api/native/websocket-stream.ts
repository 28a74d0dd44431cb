// A WebSocket as a ByteStream: binary messages are pieces of the stream, whatever their boundaries. Text messages are
// refused. It never compresses.

import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { type ByteStream, type ByteStreamHandler, plainBytes } from './byte-stream.js';

/** Close codes of RFC 6455. */
const normalClosure = 1000;
const unsupportedData = 1003;

export class WebSocketStream implements ByteStream {
  readonly address: string;
  /** Of the message that is arriving: the library keeps it until it is whole. */
  unfinishedBytes = 0;
  private readonly socket: WebSocket;
  private readonly carrier: Socket;
  private handler: ByteStreamHandler | null = null;
  private readonly sent = (): void => {
    if (this.socket.bufferedAmount === 0) this.handler?.drained();
  };

  /** `carrier`: what the WebSocket's own bytes travel on. */
  constructor(socket: WebSocket, carrier: Socket) {
    this.socket = socket;
    this.carrier = carrier;
    this.address = carrier.remoteAddress ?? '';
  }

  get unsentBytes(): number {
    return this.socket.bufferedAmount;
  }

  start(handler: ByteStreamHandler): void {
    const { socket } = this;
    this.handler = handler;
    socket.binaryType = 'nodebuffer';
    // Counted before the library sees them: a message that they complete sets the count back.
    this.carrier.prependListener('data', (chunk: Buffer) => {
      this.unfinishedBytes += chunk.length;
    });
    this.carrier.on('data', () => {
      if (this.unfinishedBytes > 0) handler.arriving();
    });
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.unfinishedBytes = 0;
      if (!isBinary) socket.close(unsupportedData, 'Cannot take a text message: expected binary ones');
      else for (const chunk of chunksOf(data)) handler.received(chunk);
    });
    // A message past the limit or a broken connection; `close` follows.
    socket.on('error', () => socket.terminate());
    socket.on('close', () => handler.closed());
  }

  write(bytes: Uint8Array): boolean {
    this.socket.send(bytes, this.sent);
    return false;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    const { socket } = this;
    socket.close(normalClosure);
    // The rest of a message would be kept until it is whole: it is not waited for.
    if (this.unfinishedBytes > 0) this.carrier.write('', () => socket.terminate());
  }

  destroy(): void {
    this.socket.terminate();
  }
}

function chunksOf(data: RawData): readonly Uint8Array[] {
  if (Array.isArray(data)) return data.map(plainBytes);
  return [data instanceof ArrayBuffer ? new Uint8Array(data) : plainBytes(data)];
}
