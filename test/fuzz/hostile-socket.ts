// A TCP connection that does whatever hostile clients do: writes at any time, reads or does not, never minds being
// closed. It counts what came back and throws nothing.

import { connect, type Socket } from 'node:net';
import type { Address } from '../../src/shared/address.js';

export interface HostileSocketOptions {
  /** Takes nothing off the socket: what the server sends piles up on its side. */
  readonly reads?: boolean;
  readonly localAddress?: string;
}

/** Whoever has waited this long for the other side goes on without it, milliseconds. */
const patienceMs = 2_000;

export class HostileSocket {
  readonly socket: Socket;
  /** Bytes that came back. */
  receivedBytes = 0;
  private gone = false;

  private constructor(socket: Socket, reads: boolean) {
    this.socket = socket;
    // A server that refuses with a reset does what it should.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.gone = true;
    });
    socket.on('end', () => {
      this.gone = true;
    });
    if (reads) {
      socket.on('data', (chunk: Buffer) => {
        this.receivedBytes += chunk.length;
      });
    } else socket.pause();
  }

  /** Resolves once it is connected, or has failed to. */
  static open({ host, port }: Address, options: HostileSocketOptions = {}): Promise<HostileSocket> {
    const { reads = true, localAddress } = options;
    const socket = connect({ host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }) });
    const hostile = new HostileSocket(socket, reads);
    return new Promise((resolve) => {
      socket.once('connect', () => resolve(hostile));
      socket.once('close', () => resolve(hostile));
    });
  }

  /** The other side has closed it, or it never opened. */
  get closed(): boolean {
    return this.gone;
  }

  /** Resolves once the operating system has taken the bytes, the connection is closed, or patience is at its end. */
  write(bytes: Uint8Array | string): Promise<void> {
    if (this.gone) return Promise.resolve();
    return this.either((done) => this.socket.write(bytes, done));
  }

  /** Resolves once something more came back, the connection is closed, or patience is at its end. */
  answered(withinMs = patienceMs): Promise<void> {
    if (this.gone) return Promise.resolve();
    return this.either((done) => this.socket.once('data', done), withinMs);
  }

  close(): void {
    this.socket.destroy();
  }

  /** Closes as a crashed client would. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  private either(begin: (done: () => void) => void, withinMs = patienceMs): Promise<void> {
    return new Promise((resolve) => {
      const { socket } = this;
      const done = (): void => {
        clearTimeout(timer);
        socket.off('close', done);
        socket.off('data', done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      socket.once('close', done);
      begin(done);
    });
  }
}
