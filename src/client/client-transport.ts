// How a client reaches a server: one byte stream in each direction, whatever carries it. TCP in Node, WebSocket in
// browsers. A transport knows nothing of frames.

/** What happens to one channel. `closed` comes exactly once, also when it never opened, and never inside `open`. */
export interface ChannelHandler {
  opened(): void;
  /** The next bytes. The transport never writes into their memory again. */
  received(bytes: Uint8Array): void;
  closed(reason: string): void;
}

export interface Channel {
  /** Sends in order. The bytes must not be changed afterwards. */
  send(bytes: Uint8Array): void;
  /** Accepted by `send` and not yet handed to the operating system. */
  queuedBytes(): number;
  /** Ends it without a `closed` callback. */
  close(): void;
}

export interface ClientTransport {
  /** `peer` is `host:port`. */
  open(peer: string, handler: ChannelHandler): Channel;
}
