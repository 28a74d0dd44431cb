// Channels over TCP, for Node.

import { connect } from 'node:net';
import { parseAddress } from '../shared/address.js';
import type { Channel, ChannelHandler, ClientTransport } from './client-transport.js';

/** A peer that vanished without a reset is noticed by the operating system after about this much silence. */
const keepAliveMs = 5_000;

export const tcpTransport: ClientTransport = {
  open(peer: string, handler: ChannelHandler): Channel {
    const address = parseAddress(peer);
    if (typeof address === 'string') {
      queueMicrotask(() => handler.closed(address));
      return { send: () => undefined, queuedBytes: () => 0, close: () => undefined };
    }
    const socket = connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true });
    socket.setKeepAlive(true, keepAliveMs);
    let reason = 'the server closed the connection';
    let silent = false;
    socket.on('connect', () => handler.opened());
    socket.on('data', (chunk) => {
      // A plain view: Buffer's own slice() does not copy, and whoever keeps bytes relies on that it does.
      if (!silent) handler.received(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
    });
    socket.on('error', (error) => {
      reason = reasonOf(error);
    });
    socket.on('close', () => {
      if (!silent) handler.closed(reason);
    });
    return {
      send: (bytes) => {
        socket.write(bytes);
      },
      queuedBytes: () => socket.writableLength,
      close: () => {
        silent = true;
        socket.destroy();
      },
    };
  },
};

/** A name with several addresses fails with one error for each; the first says enough. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  return error.message;
}
