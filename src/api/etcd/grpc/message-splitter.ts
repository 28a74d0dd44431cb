// Cuts the bytes of one call into messages: each has a byte that says whether it is compressed and four of length in front.
// They come split and run together as the network likes. A message's size is judged by its prefix, before memory is taken.

import type { Bytes } from '../../../shared/bytes.js';
import { type GrpcStatus, grpcStatus } from './grpc-status.js';

export const prefixBytes = 5;

export interface SplitterHost {
  /** A whole message: a view of memory that is never written again. */
  message(message: Bytes): void;
  /** A message of this size has begun and is not whole. False: there is no room for it until `makeRoom`. */
  begun(byteLength: number): boolean;
  /** What comes is no message that could be taken; nothing more is. */
  refused(status: GrpcStatus, message: string): void;
}

/** The message, if these bytes are exactly one of an allowed size; undefined otherwise. */
export function wholeMessage(chunk: Buffer, messageBytesMax: number): Bytes | undefined {
  if (chunk.length < prefixBytes || chunk[0] !== 0) return undefined;
  const length = chunk.readUInt32BE(1);
  if (length !== chunk.length - prefixBytes || length > messageBytesMax) return undefined;
  return new Uint8Array(chunk.buffer, chunk.byteOffset + prefixBytes, length);
}

/** As much as a client may send of one call before it has to wait. */
const keptBytesUsual = 64 * 2 ** 10;

export class MessageSplitter {
  private readonly host: SplitterHost;
  private readonly messageBytesMax: number;
  /** The prefix as far as it is there, while it is not whole. */
  private prefix: Buffer | null = null;
  private prefixLength = 0;
  /** The message that is not whole, and how much of it is there. */
  private partial: Buffer | null = null;
  private filled = 0;
  /** A message of this size waits for room; -1: none does. */
  private waitingBytes = -1;
  private stopped = false;
  private closed = false;
  /** Came while nothing was taken: the first bytes of this memory, which has room for some that follow. */
  private kept: Buffer | null = null;
  private keptLength = 0;

  constructor(host: SplitterHost, messageBytesMax: number) {
    this.host = host;
    this.messageBytesMax = messageBytesMax;
  }

  /** Memory taken for what is not delivered. */
  get heldBytes(): number {
    return (this.partial?.length ?? 0) + (this.kept?.length ?? 0);
  }

  /** Nothing is half there. */
  get whole(): boolean {
    return this.prefix === null && this.partial === null && this.kept === null && this.waitingBytes < 0;
  }

  push(chunk: Buffer): void {
    if (this.closed) return;
    if (this.stopped || this.waitingBytes >= 0) this.keep(chunk);
    else this.take(chunk);
  }

  /** There is room for the message that waits. */
  makeRoom(): void {
    const bytes = this.waitingBytes;
    if (bytes < 0) return;
    this.waitingBytes = -1;
    this.partial = Buffer.allocUnsafeSlow(bytes);
    this.filled = 0;
    this.takeKept();
  }

  /** No message is delivered until `resume`. */
  stop(): void {
    this.stopped = true;
  }

  resume(): void {
    this.stopped = false;
    if (this.waitingBytes < 0) this.takeKept();
  }

  /** Lets everything go; nothing is delivered any more. */
  clear(): void {
    this.closed = true;
    this.prefix = null;
    this.partial = null;
    this.kept = null;
    this.keptLength = 0;
    this.waitingBytes = -1;
  }

  /** Of many small pieces none is copied over and over. */
  private keep(chunk: Buffer): void {
    const { kept, keptLength } = this;
    const length = keptLength + chunk.length;
    if (kept === null) this.kept = chunk;
    else {
      // What may be in there already is not this splitter's to write on.
      const hasRoom = keptLength < kept.length && length <= kept.length;
      const memory = hasRoom ? kept : Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * length, keptBytesUsual)));
      if (memory !== kept) kept.copy(memory, 0, 0, keptLength);
      chunk.copy(memory, keptLength);
      this.kept = memory;
    }
    this.keptLength = length;
  }

  private takeKept(): void {
    const { kept, keptLength } = this;
    if (kept === null) return;
    this.kept = null;
    this.keptLength = 0;
    this.take(keptLength === kept.length ? kept : kept.subarray(0, keptLength));
  }

  private take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.closed) {
      if (this.stopped || this.waitingBytes >= 0) {
        this.keep(chunk.subarray(at));
        return;
      }
      if (this.partial !== null) at = this.fill(this.partial, chunk, at);
      else if (this.prefix !== null || chunk.length - at < prefixBytes) at = this.fillPrefix(chunk, at);
      else {
        const end = this.judge(chunk, at, chunk, at + prefixBytes);
        if (end < 0) return;
        at = end;
      }
    }
  }

  /** Reads a whole prefix; gives where to go on in `chunk`, whose bytes from `start` on follow the prefix; -1: nowhere. */
  private judge(prefix: Buffer, prefixAt: number, chunk: Buffer, start: number): number {
    const format = prefix[prefixAt];
    const length = prefix.readUInt32BE(prefixAt + 1);
    if (format !== 0) {
      if (format === 1) {
        this.refuse(grpcStatus.internal, 'grpc: compressed flag set with identity or empty encoding');
      } else this.refuse(grpcStatus.internal, `grpc: received unexpected payload format ${format}`);
      return -1;
    }
    if (length > this.messageBytesMax) {
      const message = `grpc: received message larger than max (${length} vs. ${this.messageBytesMax})`;
      this.refuse(grpcStatus.resourceExhausted, message);
      return -1;
    }
    const end = start + length;
    if (end <= chunk.length) {
      this.deliver(chunk, start, end);
    } else if (this.host.begun(length)) {
      this.partial = Buffer.allocUnsafeSlow(length);
      this.filled = 0;
      return start;
    } else {
      this.waitingBytes = length;
      return start;
    }
    return end;
  }

  private fillPrefix(chunk: Buffer, at: number): number {
    this.prefix ??= Buffer.allocUnsafe(prefixBytes);
    const count = Math.min(prefixBytes - this.prefixLength, chunk.length - at);
    chunk.copy(this.prefix, this.prefixLength, at, at + count);
    this.prefixLength += count;
    if (this.prefixLength < prefixBytes) return at + count;
    const { prefix } = this;
    this.prefix = null;
    this.prefixLength = 0;
    const end = this.judge(prefix, 0, chunk, at + count);
    return end < 0 ? chunk.length : end;
  }

  private fill(partial: Buffer, chunk: Buffer, at: number): number {
    const count = Math.min(partial.length - this.filled, chunk.length - at);
    chunk.copy(partial, this.filled, at, at + count);
    this.filled += count;
    if (this.filled === partial.length) {
      this.partial = null;
      this.deliver(partial, 0, partial.length);
    }
    return at + count;
  }

  private deliver(memory: Buffer, start: number, end: number): void {
    // Never a Buffer: its slice() would share memory.
    this.host.message(new Uint8Array(memory.buffer, memory.byteOffset + start, end - start));
  }

  private refuse(status: GrpcStatus, message: string): void {
    this.clear();
    this.host.refused(status, message);
  }
}
