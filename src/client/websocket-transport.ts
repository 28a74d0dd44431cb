// Channels over WebSocket, for browsers and for networks that let only HTTP through. The same byte stream as over TCP,
// in binary messages whose boundaries mean nothing.

import type { Channel, ChannelHandler, ClientTransport } from './client-transport.js';

/** The part of the standard WebSocket that is used here; browsers, Node and the `ws` package all have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Uint8Array): void;
  close(): void;
}

export interface WebSocketTransportOptions {
  /** Makes a socket for a URL, e.g. `(url) => new WebSocket(url)`. */
  readonly create: (url: string) => WebSocketLike;
  /** Default: `ws://<peer>/v1/ws`. */
  readonly urlOf?: (peer: string) => string;
}

export function webSocketTransport(options: WebSocketTransportOptions): ClientTransport {
  const urlOf = options.urlOf ?? ((peer: string) => `ws://${peer}/v1/ws`);
  return {
    open(peer: string, handler: ChannelHandler): Channel {
      const socket = options.create(urlOf(peer));
      socket.binaryType = 'arraybuffer';
      let over = false;
      const end = (reason: string): void => {
        if (over) return;
        over = true;
        handler.closed(reason);
      };
      socket.onopen = () => handler.opened();
      socket.onmessage = (event: { readonly data: unknown }) => {
        if (over) return;
        if (event.data instanceof ArrayBuffer) handler.received(new Uint8Array(event.data));
        else socket.close();
      };
      socket.onerror = () => end('the WebSocket failed');
      socket.onclose = () => end('the server closed the WebSocket');
      return {
        send: (bytes) => socket.send(bytes),
        queuedBytes: () => socket.bufferedAmount,
        close: () => {
          over = true;
          socket.close();
        },
      };
    },
  };
}
