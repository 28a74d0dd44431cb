// A UDP socket that is made again when it fails, on the same address and port, with growing pauses. Sending while it is
// away fails like any lost datagram. Never gives up, and never throws for what the network does.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { Address } from '../shared/address.js';

export interface BoundAddress {
  readonly family: 4 | 6;
  readonly address: string;
  readonly port: number;
}

export interface RebindingSocketHandler {
  received(datagram: Buffer, remote: RemoteInfo): void;
  /** The socket failed, or could not be made again; it will be tried. */
  failed(error: Error): void;
}

/** Pauses before a socket that failed is made again, milliseconds. */
const reopenMinMs = 100;
const reopenMaxMs = 5_000;

export class RebindingSocket {
  readonly bound: BoundAddress;
  readonly #handler: RebindingSocketHandler;
  readonly #bindTo: (address: BoundAddress) => Promise<Socket>;
  /** undefined while it is being made again and after close. */
  #socket: Socket | undefined;
  #pauseMs = reopenMinMs;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(
    socket: Socket,
    bound: BoundAddress,
    handler: RebindingSocketHandler,
    bindTo: (address: BoundAddress) => Promise<Socket>,
  ) {
    this.bound = bound;
    this.#handler = handler;
    this.#bindTo = bindTo;
    this.#use(socket);
  }

  /** `bindTo` is for tests, which make sockets fail. Binds; port 0 takes a free one and keeps it. Rejects with the system's error. */
  static async open(
    { host, port }: Address,
    handler: RebindingSocketHandler,
    bindTo: (address: BoundAddress) => Promise<Socket> = bind,
  ): Promise<RebindingSocket> {
    // IPv4 where a name has both: all members of an ensemble then meet on the same protocol.
    const found = await lookup(host, { order: 'ipv4first' });
    const wanted: BoundAddress = { family: found.family === 6 ? 6 : 4, address: found.address, port };
    const socket = await bindTo(wanted);
    return new RebindingSocket(socket, { ...wanted, port: socket.address().port }, handler, bindTo);
  }

  /** `done` tells whether the operating system took it. */
  send(datagram: Buffer, port: number, address: string, done: (error: Error | null) => void): void {
    if (this.#socket === undefined) done(new Error('Cannot send: the socket is being made again'));
    else this.#socket.send(datagram, port, address, done);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
  }

  #use(socket: Socket): void {
    if (this.#closed) {
      socket.close();
      return;
    }
    this.#socket = socket;
    socket.on('message', (datagram, remote) => this.#handler.received(datagram, remote));
    socket.on('error', (error) => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      socket.close();
      this.#reopenLater();
      this.#handler.failed(error);
    });
  }

  #reopenLater(): void {
    this.#timer = setTimeout(() => {
      this.#bindTo(this.bound).then(
        (socket) => {
          this.#pauseMs = reopenMinMs;
          this.#use(socket);
        },
        (error: Error) => {
          if (this.#closed) return;
          this.#pauseMs = Math.min(this.#pauseMs * 2, reopenMaxMs);
          this.#reopenLater();
          this.#handler.failed(error);
        },
      );
    }, this.#pauseMs);
  }
}

/** A socket bound to exactly this. */
export function bind({ family, address, port }: BoundAddress): Promise<Socket> {
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', failed);
    socket.bind({ port, address }, () => {
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
