// A TCP socket as a ByteStream.

import type { Socket } from 'node:net';
import { type ByteStream, type ByteStreamHandler, plainBytes } from './byte-stream.js';

/** Idle connections are probed after this long, so that a client that vanished without a word is noticed. */
const keepAliveMs = 30_000;

export class TcpStream implements ByteStream {
  readonly address: string;
  readonly unfinishedBytes = 0;
  private readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
    this.address = socket.remoteAddress ?? '';
  }

  get unsentBytes(): number {
    return this.socket.writableLength;
  }

  start(handler: ByteStreamHandler): void {
    const { socket } = this;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    socket.on('data', (chunk: Buffer) => handler.received(plainBytes(chunk)));
    socket.on('drain', () => handler.drained());
    // A reset or a broken pipe is the client's way to leave; `close` follows.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => handler.closed());
  }

  write(bytes: Uint8Array): boolean {
    this.socket.write(bytes);
    return this.socket.writableLength === 0;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
