// What a native connection needs of whatever carries its bytes: a TCP socket or a WebSocket. Bytes arrive and leave as
// a stream; the boundaries of chunks mean nothing.

export interface ByteStreamHandler {
  /** The memory belongs to the receiver from now on. Never a Buffer: its slice() would share memory. */
  received(chunk: Uint8Array): void;
  /** More has arrived of a message that is not whole: see unfinishedBytes. */
  arriving(): void;
  /** Everything written has been handed to the operating system, after unsentBytes was above 0. */
  drained(): void;
  /** Called once, whoever closed it and why ever; nothing comes after it. */
  closed(): void;
}

export interface ByteStream {
  /** That the client comes from. */
  readonly address: string;
  /** Called once, before anything else. */
  start(handler: ByteStreamHandler): void;
  /** True: all of it is with the operating system already and the caller may use the memory again. */
  write(bytes: Uint8Array): boolean;
  /** Bytes written that the operating system has not taken yet. */
  readonly unsentBytes: number;
  /** Bytes that have arrived and cannot be handed over yet. */
  readonly unfinishedBytes: number;
  /** Stops reading; a few chunks more may arrive. */
  pause(): void;
  resume(): void;
  /** Sends what was written, then closes; what still arrives is for nobody. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
}

/** The same memory without the ways of a Buffer. */
export function plainBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}
