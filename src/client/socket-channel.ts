// A socket of Node, plain or inside TLS, as a channel.

import type { Socket } from 'node:net';
import type { Channel, ChannelHandler } from './client-transport.js';

/** A peer that vanished without a reset is noticed by the operating system after about this much silence. */
const keepAliveMs = 5_000;

/** `ready`: the event after which bytes may be sent. */
export function socketChannel(socket: Socket, ready: 'connect' | 'secureConnect', handler: ChannelHandler): Channel {
  socket.setKeepAlive(true, keepAliveMs);
  let reason = 'the server closed the connection';
  let silent = false;
  socket.on(ready, () => handler.opened());
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
}

/** One that never opens. */
export function closedChannel(reason: string, handler: ChannelHandler): Channel {
  queueMicrotask(() => handler.closed(reason));
  return { send: () => undefined, queuedBytes: () => 0, close: () => undefined };
}

/** A name with several addresses fails with one error for each; the first says enough. */
function reasonOf(error: Error): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  // OpenSSL's message names pointers and lines of its source; its reason is in it.
  if ('library' in error && 'reason' in error) return `TLS failed: ${error.reason}`;
  return error.message === '' ? error.name : error.message;
}
