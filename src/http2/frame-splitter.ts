// Cuts the bytes of a connection into frames, however they come. A frame's size is judged by its head, before memory is
// taken; a frame that comes whole is not copied.

import { frameBytesMax, frameHeadBytes } from './frames.js';

export interface FrameHost {
  /** A whole frame, its payload in memory from start to end; the memory is never written again. */
  frame(type: number, flags: number, stream: number, memory: Buffer, start: number, end: number): void;
  /** A frame that is larger than any may be. */
  oversized(byteLength: number): void;
  /** No frame can be taken now, or ever. */
  readonly stopped: boolean;
}

export class FrameSplitter {
  private readonly host: FrameHost;
  /** The head of a frame that is not whole. */
  private readonly head = Buffer.alloc(frameHeadBytes);
  private headFilled = 0;
  private partial: Buffer | null = null;
  private filled = 0;

  constructor(host: FrameHost) {
    this.host = host;
  }

  /** Takes frames until the host has stopped; gives how many bytes of the chunk were taken. */
  push(chunk: Buffer): number {
    const { host } = this;
    let at = 0;
    while (at < chunk.length && !host.stopped) {
      if (this.headFilled > 0) {
        at = this.fill(chunk, at);
        continue;
      }
      const start = at + frameHeadBytes;
      if (start > chunk.length) {
        this.headFilled = chunk.copy(this.head, 0, at);
        return chunk.length;
      }
      const length = lengthAt(chunk, at);
      const end = start + length;
      if (length > frameBytesMax) {
        host.oversized(length);
        return chunk.length;
      }
      if (end > chunk.length) {
        this.headFilled = chunk.copy(this.head, 0, at, start);
        this.partial = Buffer.allocUnsafeSlow(length);
        this.filled = chunk.copy(this.partial, 0, start);
        return chunk.length;
      }
      host.frame(chunk[at + 3] as number, chunk[at + 4] as number, streamAt(chunk, at), chunk, start, end);
      at = end;
    }
    return at;
  }

  private fill(chunk: Buffer, from: number): number {
    const { head, host } = this;
    let at = from;
    if (this.headFilled < frameHeadBytes) {
      const count = chunk.copy(head, this.headFilled, at, at + frameHeadBytes - this.headFilled);
      this.headFilled += count;
      at += count;
      if (this.headFilled < frameHeadBytes) return at;
      const length = lengthAt(head, 0);
      if (length > frameBytesMax) {
        host.oversized(length);
        return chunk.length;
      }
      this.partial = Buffer.allocUnsafeSlow(length);
      this.filled = 0;
    }
    const partial = this.partial as Buffer;
    const count = chunk.copy(partial, this.filled, at, at + partial.length - this.filled);
    this.filled += count;
    if (this.filled < partial.length) return at + count;
    this.headFilled = 0;
    this.partial = null;
    host.frame(head[3] as number, head[4] as number, streamAt(head, 0), partial, 0, partial.length);
    return at + count;
  }
}

function lengthAt(bytes: Buffer, at: number): number {
  return ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
}

function streamAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at + 5) & 0x7fffffff;
}
