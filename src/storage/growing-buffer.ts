// Builds a byte string whose length is not known beforehand: one buffer that doubles. Numbers are unsigned safe integers
// as varints (7 bits a byte, low first), ids signed 64-bit ones. ByteCursor reads the same back and never past the end.

import type { Bytes } from '../shared/bytes.js';

export class GrowingBuffer {
  private buffer: Buffer;
  private used = 0;

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }

  get length(): number {
    return this.used;
  }

  byte(value: number): void {
    this.reserve(1);
    this.buffer[this.used++] = value;
  }

  uint32(value: number): void {
    this.reserve(4);
    this.used = this.buffer.writeUInt32LE(value, this.used);
  }

  /** A safe integer in 8 bytes, high first. */
  uint64BE(value: number): void {
    this.reserve(8);
    const low = value >>> 0;
    this.used = this.buffer.writeUInt32BE((value - low) / 2 ** 32, this.used);
    this.used = this.buffer.writeUInt32BE(low, this.used);
  }

  varint(value: number): void {
    this.reserve(8);
    this.used = writeVarint(this.buffer, this.used, value);
  }

  /** A signed 64-bit number as its bits: what is below 0 takes 10 bytes. */
  varint64(value: bigint): void {
    if (value === 0n) {
      this.byte(0);
      return;
    }
    this.reserve(10);
    let rest = BigInt.asUintN(64, value);
    while (rest > 0x7fn) {
      this.buffer[this.used++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.used++] = Number(rest);
  }

  bytes(value: Bytes): void {
    this.reserve(value.length);
    this.buffer.set(value, this.used);
    this.used += value.length;
  }

  /** Length, then the bytes. */
  lengthAndBytes(value: Bytes): void {
    this.varint(value.length);
    this.bytes(value);
  }

  patchUint32(at: number, value: number): void {
    this.buffer.writeUInt32LE(value, at);
  }

  /** Writes a number below 2^28 into 4 bytes that were left for it, as a varint of exactly that length. */
  patchVarint4(at: number, value: number): void {
    this.buffer[at] = (value & 0x7f) | 0x80;
    this.buffer[at + 1] = ((value >>> 7) & 0x7f) | 0x80;
    this.buffer[at + 2] = ((value >>> 14) & 0x7f) | 0x80;
    this.buffer[at + 3] = (value >>> 21) & 0x7f;
  }

  /** What was written; valid until the next write. */
  view(): Buffer {
    return this.buffer.subarray(0, this.used);
  }

  /** Gives the memory up, e.g. to another thread; the builder may not be used again but with `reuse`. */
  release(): Buffer {
    const released = this.view();
    this.buffer = Buffer.alloc(0);
    this.used = 0;
    return released;
  }

  /** Writes into this memory from now on. */
  reuse(memory: ArrayBuffer): void {
    this.buffer = Buffer.from(memory);
    this.used = 0;
  }

  /** Hands the memory over and starts anew. */
  take(): Buffer {
    const taken = this.view();
    this.buffer = Buffer.allocUnsafeSlow(this.buffer.length);
    this.used = 0;
    return taken;
  }

  /** Makes room for this many more bytes at once, so that it need not double its way up. */
  ensure(bytes: number): void {
    this.reserve(bytes);
  }

  clear(): void {
    this.used = 0;
  }

  private reserve(bytes: number): void {
    const needed = this.used + bytes;
    if (needed <= this.buffer.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.buffer.length * 2));
    this.buffer.copy(grown, 0, 0, this.used);
    this.buffer = grown;
  }
}

/** Writes a safe integer; returns the position behind it. Takes at most 8 bytes. */
export function writeVarint(target: Uint8Array, at: number, value: number): number {
  let position = at;
  let rest = value;
  while (rest > 0x7fffffff) {
    target[position++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  while (rest > 0x7f) {
    target[position++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  target[position++] = rest;
  return position;
}

/** Reads what GrowingBuffer wrote. Throws RangeError when the bytes end too early or a number is not a safe integer. */
export class ByteCursor {
  readonly source: Bytes;
  at: number;
  readonly end: number;

  constructor(source: Bytes, at = 0, end = source.length) {
    this.source = source;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  byte(): number {
    if (this.at >= this.end) throw new RangeError('The bytes end too early');
    return this.source[this.at++] as number;
  }

  uint32(): number {
    return this.byte() + this.byte() * 0x100 + this.byte() * 0x1_0000 + this.byte() * 0x100_0000;
  }

  varint(): number {
    let value = this.byte();
    if (value < 0x80) return value;
    value &= 0x7f;
    let scale = 128;
    for (;;) {
      const next = this.byte();
      value += (next & 0x7f) * scale;
      if (next < 0x80) break;
      scale *= 128;
      if (scale > Number.MAX_SAFE_INTEGER) throw new RangeError('A number is too long');
    }
    if (!Number.isSafeInteger(value)) throw new RangeError('A number is too large');
    return value;
  }

  varint64(): bigint {
    if (this.at < this.end && this.source[this.at] === 0) {
      this.at += 1;
      return 0n;
    }
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const next = this.byte();
      value |= BigInt(next & 0x7f) << shift;
      if (next < 0x80) return BigInt.asIntN(64, value);
    }
    throw new RangeError('A number is too long');
  }

  /** Shares memory with the source. */
  bytes(length: number): Bytes {
    if (length > this.end - this.at) throw new RangeError('The bytes end too early');
    const taken = this.source.subarray(this.at, this.at + length);
    this.at += length;
    return taken;
  }

  lengthAndBytes(): Bytes {
    return this.bytes(this.varint());
  }
}
