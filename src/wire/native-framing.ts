// Cuts the byte stream of a native connection into frame bodies: u32 big-endian length, then the body. It holds at most
// one partial frame, and refuses a length past its bound before it keeps a byte of that frame.

import type { Bytes } from '../shared/bytes.js';
import { emptyBytes } from '../shared/bytes.js';
import { WireError } from './protobuf/wire-error.js';

/** Version of the native protocol that this code speaks. */
export const nativeVersion = 1;

/** Bytes of the preface that each side sends first. */
export const prefaceBytes = 8;

const magic = [0xfa, 0x5a, 0x41, 0x42] as const;

/** First byte of a native connection; no other protocol of the client port begins with it. */
export const prefaceFirstByte = magic[0];

/** The preface: FA 5A 41 42, version as u16 big-endian, two zero bytes. */
export function encodePreface(version: number = nativeVersion): Uint8Array {
  return Uint8Array.of(...magic, version >>> 8, version & 0xff, 0, 0);
}

/** Version told by the other side's preface. Throws WireError unless the bytes are one. */
export function decodePreface(bytes: Bytes): number {
  if (bytes.length !== prefaceBytes || magic.some((byte, index) => bytes[index] !== byte)) {
    throw new WireError('Cannot begin: the first 8 bytes are not the preface of the native protocol');
  }
  return ((bytes[4] as number) << 8) | (bytes[5] as number);
}

/** Adds the length in front of an encoded body. */
export function frameOf(body: Bytes): Uint8Array {
  const frame = new Uint8Array(4 + body.length);
  new DataView(frame.buffer).setUint32(0, body.length);
  frame.set(body, 4);
  return frame;
}

/** Frame longer than the receiver takes; the stream cannot go on after it. */
export class FrameTooLargeError extends WireError {
  readonly frameBytes: number;

  constructor(frameBytes: number, frameBytesMax: number) {
    super(`Cannot take a frame of ${frameBytes} bytes: the limit is ${frameBytesMax}`);
    this.frameBytes = frameBytes;
  }
}

/** What may come behind the end of a frame in one piece: one read of a socket. */
const behindFrameBytes = 64 * 2 ** 10;

export class FrameSplitter {
  private readonly frameBytesMax: number;
  /** Not consumed yet: bytes[start .. end). What lies before start may be in views that were given out. */
  private bytes: Bytes = emptyBytes;
  private start = 0;
  private end = 0;
  /** Whether bytes is memory of its own, with room behind `end`, and not a chunk that was pushed. */
  private owned = false;

  constructor(frameBytesMax: number) {
    this.frameBytesMax = frameBytesMax;
  }

  /** Bytes kept and not taken yet. */
  get pendingBytes(): number {
    return this.end - this.start;
  }

  /** Bytes of the frame that has begun and is not whole, its length included; 0 when there is none or it is not known. */
  get awaitedBytes(): number {
    const available = this.end - this.start;
    if (available < 4) return 0;
    const frameBytes = 4 + this.lengthAt(this.start);
    return available < frameBytes ? frameBytes : 0;
  }

  /** Gives it the next piece of the stream, whose memory it keeps until it is consumed. */
  push(chunk: Bytes): void {
    const pending = this.end - this.start;
    if (pending === 0) {
      this.bytes = chunk;
      this.start = 0;
      this.end = chunk.length;
      this.owned = false;
      return;
    }
    if (!this.owned || this.end + chunk.length > this.bytes.length) this.grow(pending, chunk.length);
    (this.bytes as Uint8Array).set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Takes memory for the whole frame that has begun, so that it is not copied from one piece of memory to the next. */
  makeRoom(): void {
    const frameBytes = this.awaitedBytes;
    // The next one to ask for a frame is told of one that is too long.
    if (frameBytes === 0 || frameBytes > 4 + this.frameBytesMax) return;
    const wanted = frameBytes + behindFrameBytes;
    if (!this.owned || this.bytes.length - this.start < wanted) this.move(this.end - this.start, wanted);
  }

  /** Forgets what is pending. */
  clear(): void {
    this.bytes = emptyBytes;
    this.start = 0;
    this.end = 0;
  }

  /** The next exact number of bytes, e.g. a preface; undefined until they are there. A view into what was pushed. */
  take(byteLength: number): Bytes | undefined {
    if (this.end - this.start < byteLength) return undefined;
    const view = this.bytes.subarray(this.start, this.start + byteLength);
    this.start += byteLength;
    return view;
  }

  /** Body of the next whole frame, a view into what was pushed; undefined until there is one. Throws FrameTooLargeError. */
  next(): Bytes | undefined {
    const { bytes, start } = this;
    const available = this.end - start;
    if (available < 4) return undefined;
    const byteLength = this.lengthAt(start);
    if (byteLength > this.frameBytesMax) throw new FrameTooLargeError(byteLength, this.frameBytesMax);
    if (available < 4 + byteLength) return undefined;
    this.start = start + 4 + byteLength;
    return bytes.subarray(start + 4, this.start);
  }

  /** New memory for what is pending and what comes, at least doubling: a frame in tiny pieces is copied twice at most. */
  private grow(pending: number, coming: number): void {
    this.move(pending, Math.max(pending + coming, 2 * pending));
  }

  private lengthAt(start: number): number {
    const { bytes } = this;
    return (
      (bytes[start] as number) * 0x100_0000 +
      (((bytes[start + 1] as number) << 16) | ((bytes[start + 2] as number) << 8) | (bytes[start + 3] as number))
    );
  }

  private move(pending: number, byteLength: number): void {
    const grown = new Uint8Array(byteLength);
    grown.set(this.bytes.subarray(this.start, this.end));
    this.bytes = grown;
    this.start = 0;
    this.end = pending;
    this.owned = true;
  }
}
