// Writes protobuf fields into one growable buffer, with no intermediate objects; what it writes is byte for byte what
// protobufjs would. It never writes a field whose value is the default, and never a number that is not exact.

import { InvariantError } from '../../shared/assert.js';
import type { Bytes } from '../../shared/bytes.js';
import { utf8Encode } from './utf8.js';

const wireTypeVarint = 0;
const wireTypeFixed64 = 1;
const wireTypeBytes = 2;
const varintHigh = 2 ** 28;
const byteSpan = 128;

/** Length in bytes of a number as a varint. */
export function varintSize(value: number): number {
  if (value < 0x80) return 1;
  let size = 1;
  for (let rest = value; rest >= byteSpan; rest /= byteSpan) size++;
  return size;
}

/** Length of a bytes field whose tag takes one byte (field numbers 1 to 15); 0 for the default. */
export function bytesFieldSize(byteLength: number): number {
  return byteLength === 0 ? 0 : 1 + varintSize(byteLength) + byteLength;
}

/** Length of a varint field whose tag takes one byte; 0 for the default. */
export function varintFieldSize(value: number): number {
  return value === 0 ? 0 : 1 + varintSize(value);
}

/** Apart from its caller, so that no text is built when all is well. */
function refuseNumber(value: number): never {
  throw new InvariantError(`Cannot write ${value}: expected a safe integer >= 0`);
}

export class ProtoWriter {
  /** What was written is bytes[0 .. position). Replaced when it grows: read it only after writing. */
  bytes: Uint8Array<ArrayBuffer>;
  position = 0;

  /** So many bytes at first, or memory to begin with: what is measured beforehand is never moved. */
  constructor(capacity: number | Uint8Array<ArrayBuffer>) {
    this.bytes = typeof capacity === 'number' ? new Uint8Array(capacity) : capacity;
  }

  /** View of what was written; valid until the next write. */
  written(): Bytes {
    return this.position === this.bytes.length ? this.bytes : this.bytes.subarray(0, this.position);
  }

  /** Copy of what was written, of exactly its length. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.slice(0, this.position);
  }

  /** Makes room for `byteLength` more bytes. */
  reserve(byteLength: number): void {
    const needed = this.position + byteLength;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2, 64));
    grown.set(this.bytes.subarray(0, this.position));
    this.bytes = grown;
  }

  /** A bare varint: 0 .. 2^53-1. */
  varint(value: number): void {
    if (!(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) refuseNumber(value);
    if (this.position + 8 > this.bytes.length) this.reserve(varintSize(value));
    const bytes = this.bytes;
    let position = this.position;
    let rest = value;
    while (rest >= varintHigh) {
      bytes[position++] = (rest % byteSpan) | 0x80;
      rest = Math.floor(rest / byteSpan);
    }
    while (rest >= byteSpan) {
      bytes[position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[position++] = rest;
    this.position = position;
  }

  /** Bytes as they are, without tag or length. */
  raw(source: Bytes): void {
    this.reserve(source.length);
    this.bytes.set(source, this.position);
    this.position += source.length;
  }

  varintField(field: number, value: number): void {
    if (value !== 0) this.presentVarintField(field, value);
  }

  /** Written even when 0: an `optional` field or a member of a oneof. */
  presentVarintField(field: number, value: number): void {
    this.varint(field * 8 + wireTypeVarint);
    this.varint(value);
  }

  boolField(field: number, value: boolean): void {
    if (value) this.presentVarintField(field, 1);
  }

  /** A 64-bit field, signed or not, that may pass 2^53: leases and the like. */
  bigintField(field: number, value: bigint): void {
    if (value === 0n) return;
    this.varint(field * 8 + wireTypeVarint);
    let rest = BigInt.asUintN(64, value);
    while (rest >= 128n) {
      this.varintByte(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.varintByte(Number(rest));
  }

  private varintByte(byte: number): void {
    this.reserve(1);
    this.bytes[this.position++] = byte;
  }

  /** A number of either sign up to 2^52, small when it is near 0 (sint64). */
  zigzagField(field: number, value: number): void {
    this.varintField(field, value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** A 64-bit number of either sign in eight bytes (sfixed64): for random ids. */
  sfixed64Field(field: number, value: bigint): void {
    if (value !== 0n) this.presentSfixed64Field(field, value);
  }

  /** Written even when 0: a member of a oneof. */
  presentSfixed64Field(field: number, value: bigint): void {
    this.varint(field * 8 + wireTypeFixed64);
    this.reserve(8);
    new DataView(this.bytes.buffer, this.bytes.byteOffset + this.position, 8).setBigInt64(0, value, true);
    this.position += 8;
  }

  bytesField(field: number, value: Bytes): void {
    if (value.length !== 0) this.presentBytesField(field, value);
  }

  /** Written even when empty: an `optional` field or a member of a oneof. */
  presentBytesField(field: number, value: Bytes): void {
    this.varint(field * 8 + wireTypeBytes);
    this.varint(value.length);
    this.raw(value);
  }

  stringField(field: number, value: string): void {
    if (value !== '') this.presentBytesField(field, utf8Encode(value));
  }

  /** Tag and length of a message field whose size is known; its fields must follow. */
  messageHeader(field: number, byteLength: number): void {
    this.varint(field * 8 + wireTypeBytes);
    this.varint(byteLength);
  }

  /**
   * Begins a message field of unknown size and returns the mark for endMessage. `sizeHint` (bytes) only saves moving
   * the message when its length needs more than one byte.
   */
  beginMessage(field: number, sizeHint = 0): number {
    this.varint(field * 8 + wireTypeBytes);
    const lengthBytes = varintSize(sizeHint);
    this.reserve(lengthBytes);
    const mark = this.position * 16 + lengthBytes;
    this.position += lengthBytes;
    return mark;
  }

  endMessage(mark: number): void {
    const guessed = mark % 16;
    const start = Math.floor(mark / 16);
    const bodyLength = this.position - start - guessed;
    const needed = varintSize(bodyLength);
    if (needed !== guessed) {
      this.reserve(needed);
      this.bytes.copyWithin(start + needed, start + guessed, this.position);
    }
    this.position = start;
    this.varint(bodyLength);
    this.position += bodyLength;
  }

  /** Begins a frame: u32 big-endian length, then what is written until endFrame. */
  beginFrame(): number {
    this.reserve(4);
    const mark = this.position;
    this.position += 4;
    return mark;
  }

  /** Returns the length of the frame's body, bytes. */
  endFrame(mark: number): number {
    const bodyLength = this.position - mark - 4;
    this.bytes[mark] = bodyLength >>> 24;
    this.bytes[mark + 1] = bodyLength >>> 16;
    this.bytes[mark + 2] = bodyLength >>> 8;
    this.bytes[mark + 3] = bodyLength;
    return bodyLength;
  }
}
