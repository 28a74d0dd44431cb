// One record of the commit log: a local header, then the body of a PROPOSAL byte for byte, then zeros up to a multiple
// of eight. Encodes, decodes and verifies headers; never touches a file. The layout is in docs/reference/disk-format.md.

import { crc32 } from 'node:zlib';
import type { Bytes } from '../shared/bytes.js';
import { toZxid, type Zxid } from '../shared/ids.js';

export const recordHeaderBytes = 56;
/** Records start at multiples of this within their segment. */
export const recordAlignment = 8;
/** "ZREC", little-endian, four bytes into every record. */
export const recordMagic = 0x4345525a;
/** Where the magic stands within the header. */
export const recordMagicOffset = 4;

const span32 = 2 ** 32;

export interface RecordHeader {
  readonly bodyBytes: number;
  /** Hash over the zxids, the body and the previous record's chain: equal on all nodes whose logs are equal so far. */
  readonly chain: number;
  readonly previousChain: number;
  readonly first: Zxid;
  readonly last: Zxid;
  /** Bytes of the log before this record, over all segments since the log's creation. */
  readonly position: number;
  /** Position up to which the log was known durable when this record was written. Never past `position`. */
  readonly durablePosition: number;
}

/** Bytes that a record takes in its segment, padding included. */
export function recordBytes(bodyBytes: number): number {
  const bytes = recordHeaderBytes + bodyBytes;
  return bytes + paddingAfter(bytes);
}

/** Zeros between these bytes and the next record. */
export function paddingAfter(bytes: number): number {
  return (recordAlignment - (bytes % recordAlignment)) % recordAlignment;
}

export function writeUint64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value % span32, offset);
  buffer.writeUInt32LE(Math.floor(value / span32), offset + 4);
}

/** The value, or NaN when it is not a safe integer. */
export function readUint64(buffer: Buffer, offset: number): number {
  const value = buffer.readUInt32LE(offset + 4) * span32 + buffer.readUInt32LE(offset);
  return Number.isSafeInteger(value) ? value : Number.NaN;
}

/**
 * Starts a header: all that is known when the batch is appended. `sealRecordHeader` adds where the record comes to lie,
 * which is known only when it is written.
 */
export function beginRecordHeader(
  batch: { readonly first: Zxid; readonly last: Zxid; readonly body: Bytes },
  previousChain: number,
): Buffer {
  const header = Buffer.allocUnsafe(recordHeaderBytes);
  header.writeUInt32LE(recordMagic, recordMagicOffset);
  header.writeUInt32LE(batch.body.length, 8);
  header.writeUInt32LE(previousChain, 16);
  header.writeUInt32LE(0, 20);
  writeUint64(header, batch.first, 24);
  writeUint64(header, batch.last, 32);
  header.writeUInt32LE(chainOf(header, batch.body, previousChain), 12);
  return header;
}

export function sealRecordHeader(
  header: Buffer,
  place: { readonly position: number; readonly durablePosition: number; readonly salt: number },
): void {
  writeUint64(header, place.position, 40);
  writeUint64(header, place.durablePosition, 48);
  header.writeUInt32LE(crc32(header.subarray(recordMagicOffset), place.salt), 0);
}

/** Chain hash that a header begun by `beginRecordHeader` carries. */
export function chainOfHeader(header: Buffer): number {
  return header.readUInt32LE(12);
}

/** The header at this place, or null when these bytes are not one that was written whole for this log. */
export function decodeRecordHeader(bytes: Buffer, salt: number): RecordHeader | null {
  if (bytes.readUInt32LE(recordMagicOffset) !== recordMagic) return null;
  if (bytes.readUInt32LE(0) !== crc32(bytes.subarray(recordMagicOffset, recordHeaderBytes), salt)) return null;
  const [first, last] = [readUint64(bytes, 24), readUint64(bytes, 32)];
  const [position, durablePosition] = [readUint64(bytes, 40), readUint64(bytes, 48)];
  // A checksum that is right by chance, or was made so, vouches for nothing.
  if (Number.isNaN(first) || Number.isNaN(last) || Number.isNaN(position) || Number.isNaN(durablePosition)) return null;
  return {
    bodyBytes: bytes.readUInt32LE(8),
    chain: bytes.readUInt32LE(12),
    previousChain: bytes.readUInt32LE(16),
    first: toZxid(first),
    last: toZxid(last),
    position,
    durablePosition,
  };
}

/** Whether the body is the one that the header was written with. `header` are the header's bytes. */
export function bodyMatches(header: Buffer, body: Bytes): boolean {
  return header.readUInt32LE(12) === chainOf(header, body, header.readUInt32LE(16));
}

/** The zxids stand side by side in the header (24..40), so that they are hashed in place. */
function chainOf(header: Buffer, body: Bytes, previousChain: number): number {
  return crc32(body, crc32(header.subarray(24, 40), previousChain));
}
