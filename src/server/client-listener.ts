// One address at which clients arrive: binds it and hands over every connection as it comes. Looks at none of them.

import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../observability/log.js';
import { parseAddress } from '../shared/address.js';

export interface ClientListenerOptions {
  /** host:port */
  readonly address: string;
  readonly log: Log;
  readonly arrived: (socket: Socket) => void;
}

export class ClientListener {
  private readonly address: string;
  private readonly log: Log;
  private readonly server: Server;

  constructor({ address, log, arrived }: ClientListenerOptions) {
    this.address = address;
    this.log = log;
    this.server = createServer({ noDelay: true }, arrived);
  }

  /** The port as bound; 0 before listen. */
  get boundPort(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Rejects with one clear error when the address cannot be had. */
  listen(): Promise<void> {
    const address = parseAddress(this.address);
    if (typeof address === 'string') return Promise.reject(new Error(`Cannot listen for clients: ${address}`));
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(new Error(`Cannot listen for clients on ${this.address}: ${reasonOf(cause)}`, { cause }));
      });
      server.listen(address.port, address.host, () => {
        server.removeAllListeners('error');
        server.on('error', (error) => this.log.warn('The client port failed to accept a connection', { error }));
        resolve();
      });
    });
  }

  /** Takes no more connections; resolves when those that it took are gone. */
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the port is in use';
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address';
    case 'EACCES':
      return 'permission denied';
    case 'ENOTFOUND':
      return 'the name does not resolve';
    default:
      return error.message;
  }
}
