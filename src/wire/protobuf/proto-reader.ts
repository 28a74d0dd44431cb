// Reads protobuf fields out of a slice of a buffer. Every length is checked against the end of the slice before it is
// used; bytes are views into the input. It never reads past its end and never returns an inexact number.

import type { Bytes } from '../../shared/bytes.js';
import { utf8Decode } from './utf8.js';
import { WireError } from './wire-error.js';

const wireTypeVarint = 0;
const wireTypeFixed64 = 1;
const wireTypeBytes = 2;
const wireTypeFixed32 = 5;
const varintBytesMax = 10;
const highWord = 2 ** 32;

/** The nearest number that is exact. */
export function clampedToSafe(value: number): number {
  if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
  return value < Number.MIN_SAFE_INTEGER ? Number.MIN_SAFE_INTEGER : value;
}

export class ProtoReader {
  private bytes: Bytes;
  private position: number;
  private end: number;
  private wireType = 0;

  constructor(bytes: Bytes, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Begins anew with another slice, so that one reader serves a whole connection. */
  reset(bytes: Bytes, start = 0, end = bytes.length): void {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
  }

  /** Number of the next field, 0 at the end of the message. Read its value or skip() it next. */
  nextField(): number {
    if (this.position >= this.end) return 0;
    const tag = this.rawVarint();
    this.wireType = tag & 7;
    const field = Math.floor(tag / 8);
    if (field === 0 || tag > 0xffff_ffff) throw new WireError('Cannot decode a message: field number out of range');
    return field;
  }

  /** A varint as an exact number, 0 .. 2^53-1. */
  varint(): number {
    this.expect(wireTypeVarint);
    return this.rawVarint();
  }

  bool(): boolean {
    this.expect(wireTypeVarint);
    return this.rawVarint() !== 0;
  }

  /** All 64 bits, as an unsigned number. */
  bigint(): bigint {
    this.expect(wireTypeVarint);
    let value = 0n;
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(7 * index);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('Cannot decode a message: varint longer than 10 bytes');
  }

  /** A signed number that was written small when it is near 0 (sint64). */
  zigzag(): number {
    const encoded = this.varint();
    return encoded % 2 === 0 ? encoded / 2 : -(encoded + 1) / 2;
  }

  /** A signed 64-bit varint as a number; past ±(2^53 - 1) the nearest that is exact. */
  int64(): number {
    this.expect(wireTypeVarint);
    let low = 0;
    let high = 0;
    for (let index = 0; index < varintBytesMax; index++) {
      const byte = this.byte();
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * index - 32);
      if (byte < 0x80) return clampedToSafe(high * highWord + (low >>> 0));
    }
    throw new WireError('Cannot decode a message: varint longer than 10 bytes');
  }

  /** Eight bytes, little-endian, as a signed number. */
  sfixed64(): bigint {
    this.expect(wireTypeFixed64);
    const start = this.position;
    this.advance(8);
    return new DataView(this.bytes.buffer, this.bytes.byteOffset + start, 8).getBigInt64(0, true);
  }

  /** A view into the input: copy it to keep it longer than the input. */
  bytesView(): Bytes {
    const length = this.lengthOfBytes();
    const view = this.bytes.subarray(this.position, this.position + length);
    this.position += length;
    return view;
  }

  string(): string {
    return utf8Decode(this.bytesView());
  }

  /** Enters a message field: fields are read from it until its end. Give the result to leaveMessage. */
  enterMessage(): number {
    const length = this.lengthOfBytes();
    const outerEnd = this.end;
    this.end = this.position + length;
    return outerEnd;
  }

  /** View of what is left of the message that was entered, for a decoder of its own. Then leave the message. */
  rest(): Bytes {
    return this.bytes.subarray(this.position, this.end);
  }

  /** Whether what is left of the message that was entered is just this. Then leave the message. */
  holds(expected: Bytes): boolean {
    const { bytes, position } = this;
    if (this.end - position !== expected.length) return false;
    for (let at = 0; at < expected.length; at++) if (bytes[position + at] !== expected[at]) return false;
    return true;
  }

  leaveMessage(outerEnd: number): void {
    this.position = this.end;
    this.end = outerEnd;
  }

  /** The field is bytes, a string, a message, or numbers that are packed. */
  get isBytes(): boolean {
    return this.wireType === wireTypeBytes;
  }

  /** Passes over a field that is unknown here. */
  skip(): void {
    switch (this.wireType) {
      case wireTypeVarint:
        this.bigint();
        return;
      case wireTypeFixed64:
        this.advance(8);
        return;
      case wireTypeBytes:
        this.advance(this.lengthOfBytes());
        return;
      case wireTypeFixed32:
        this.advance(4);
        return;
      default:
        throw new WireError(`Cannot decode a message: wire type ${this.wireType} is not supported`);
    }
  }

  private expect(wireType: number): void {
    if (this.wireType !== wireType) {
      throw new WireError(`Cannot decode a message: wire type is ${this.wireType}, expected ${wireType}`);
    }
  }

  private lengthOfBytes(): number {
    this.expect(wireTypeBytes);
    const length = this.rawVarint();
    if (length > this.end - this.position) throw new WireError('Cannot decode a message: a length passes its end');
    return length;
  }

  private advance(length: number): void {
    if (length > this.end - this.position) throw new WireError('Cannot decode a message: a field passes its end');
    this.position += length;
  }

  private byte(): number {
    if (this.position >= this.end) throw new WireError('Cannot decode a message: it ends inside a number');
    return this.bytes[this.position++] as number;
  }

  private rawVarint(): number {
    const first = this.byte();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 128;
    for (let index = 1; index < varintBytesMax; index++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new WireError('Cannot decode a message: number past 2^53-1');
        return value;
      }
      scale *= 128;
    }
    throw new WireError('Cannot decode a message: varint longer than 10 bytes');
  }
}
