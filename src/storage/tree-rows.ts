// Rows of the LMDB tables as bytes (docs/decisions/0001-table-layout.md). Every value carries a checksum over itself and
// its key, verified when it is read. Keys are order-preserving. No table is opened here.

import { crc32 } from 'node:zlib';
import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord } from '../tree/store.js';
import { ByteCursor, type GrowingBuffer } from './growing-buffer.js';
import { encodeRecordFields } from './tree-image.js';

export const userSpace: SpaceId = 1;
export const systemSpace: SpaceId = 2;
export const localSpace: SpaceId = 3;

export const checksumBytes = 4;
export const revisionBytes = 8;
/** Longest key that LMDB takes. */
export const rowKeyBytesMax = 1978;

/** `current` key: space, key. */
export function currentKey(space: SpaceId, key: Bytes): Buffer {
  const row = Buffer.allocUnsafe(key.length + 1);
  row[0] = space;
  row.set(key, 1);
  return row;
}

/** Builds `current` keys for reads without making an object for each: a key is valid until the next one. */
export class LookupKey {
  private readonly bytes = Buffer.alloc(rowKeyBytesMax);
  /** Views of `bytes` by length. */
  private readonly views: Buffer[] = [];

  of(space: SpaceId, key: Bytes): Buffer {
    const length = key.length + 1;
    this.bytes[0] = space;
    this.bytes.set(key, 1);
    const known = this.views[length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(0, length);
    this.views[length] = view;
    return view;
  }
}

/** First `current` key behind a space. */
export function spaceEnd(space: SpaceId): Buffer {
  return Buffer.from([space + 1]);
}

/** `undo` key: revision (8 bytes, big-endian), key. */
export function undoKey(revision: Revision, key: Bytes): Buffer {
  const row = Buffer.allocUnsafe(revisionBytes + key.length);
  writeRevision(row, 0, revision);
  row.set(key, revisionBytes);
  return row;
}

/** `index` key: escaped key (00 -> 00 FF), 00 01, revision. Rows of one key are neighbours, in order of revision. */
export function indexKey(key: Bytes, revision: Revision): Buffer {
  const row = Buffer.allocUnsafe(indexPrefixLength(key) + revisionBytes);
  const at = writeIndexPrefix(row, key);
  writeRevision(row, at, revision);
  return row;
}

export function indexPrefix(key: Bytes): Buffer {
  const row = Buffer.allocUnsafe(indexPrefixLength(key));
  writeIndexPrefix(row, key);
  return row;
}

/** The escaped key alone: sorts before every `index` row of this key and of those that follow. */
export function indexStart(key: Bytes): Buffer {
  return indexPrefix(key).subarray(0, -2);
}

/** The key of an `index` row. */
export function keyOfIndex(row: Bytes): Buffer {
  const key = Buffer.allocUnsafe(row.length);
  let length = 0;
  for (let at = 0; at < row.length - revisionBytes - 2; at++) {
    const byte = row[at] as number;
    key[length++] = byte;
    if (byte === 0) at += 1;
  }
  return key.subarray(0, length);
}

export function revisionOfIndex(row: Bytes): Revision {
  return readRevision(row, row.length - revisionBytes);
}

export function readRevision(row: Bytes, at: number): Revision {
  let high = 0;
  let low = 0;
  for (let i = 0; i < 4; i++) {
    high = high * 256 + (row[at + i] as number);
    low = low * 256 + (row[at + 4 + i] as number);
  }
  return (high * 2 ** 32 + low) as Revision;
}

export function writeRevision(row: Buffer, at: number, revision: number): void {
  row.writeUInt32BE(Math.floor(revision / 2 ** 32), at);
  row.writeUInt32BE(revision % 2 ** 32, at + 4);
}

function indexPrefixLength(key: Bytes): number {
  let length = key.length + 2;
  for (const byte of key) if (byte === 0) length += 1;
  if (length + revisionBytes > rowKeyBytesMax) {
    throw new StoreError(
      'TOO_LARGE',
      `Cannot store a key of ${key.length} bytes: encoded it is longer than ${rowKeyBytesMax}`,
    );
  }
  return length;
}

function writeIndexPrefix(row: Buffer, key: Bytes): number {
  let at = 0;
  for (const byte of key) {
    row[at++] = byte;
    if (byte === 0) row[at++] = 0xff;
  }
  row[at++] = 0;
  row[at++] = 1;
  return at;
}

/** A record as it is stored: checksum (left 0 here), fields, value. */
export function encodeStoredRecord(buffer: GrowingBuffer, record: KeyRecord): void {
  buffer.uint32(0);
  encodeRecordFields(buffer, record);
  buffer.bytes(record.value);
}

/** Checksum over a row's key and its value, whose first four bytes, the checksum's own place, count as zero. */
function rowChecksum(key: Bytes, value: Bytes): number {
  value[0] = 0;
  value[1] = 0;
  value[2] = 0;
  value[3] = 0;
  return crc32(value, crc32(key));
}

/** Writes the checksum into its place. */
export function seal(key: Bytes, value: Buffer): Buffer {
  value.writeUInt32LE(rowChecksum(key, value), 0);
  return value;
}

/** Throws CORRUPT unless the value is what was sealed under this key. The value is ours: its checksum is blanked. */
export function verify(table: string, key: Bytes, value: Bytes): void {
  if (value.length >= checksumBytes) {
    const [a, b, c] = [value[0] as number, value[1] as number, value[2] as number];
    const expected = (a | (b << 8) | (c << 16) | ((value[3] as number) << 24)) >>> 0;
    if (rowChecksum(key, value) === expected) return;
  }
  const shown = JSON.stringify(Buffer.from(key).toString('latin1'));
  throw new StoreError('CORRUPT', `Cannot read row ${shown} of table "${table}": its checksum does not match`);
}

/** Decodes a verified record. `key` is the user's key; the value shares memory with `stored` unless it is left out. */
export function decodeStoredRecord(key: Bytes, stored: Bytes, keysOnly: boolean): KeyRecord {
  const cursor = new ByteCursor(stored, checksumBytes);
  const createRevision = cursor.varint() as Revision;
  const modRevision = cursor.varint() as Revision;
  const version = cursor.varint();
  const lease = cursor.varint64();
  const value = keysOnly ? stored.subarray(0, 0) : stored.subarray(cursor.at);
  return { key, value, createRevision, modRevision, version, lease };
}

/** An `undo` value: checksum, flags, then the record that was replaced, as it was stored. */
export interface UndoRow {
  readonly deleted: boolean;
  /** Sealed under its `current` key; undefined when there was no key. */
  readonly before: Bytes | undefined;
}

export const undoHeaderBytes = checksumBytes + 1;
export const undoFlags = { deleted: 1, before: 2 } as const;

/** The header's checksum covers the row's key and the flags; the record has its own. */
export function sealUndo(key: Bytes, value: Buffer): Buffer {
  seal(key, value.subarray(0, undoHeaderBytes));
  return value;
}

export function decodeUndo(key: Bytes, value: Bytes): UndoRow {
  verify('undo', key, value.subarray(0, undoHeaderBytes));
  const flags = value[checksumBytes] as number;
  const before = (flags & undoFlags.before) === 0 ? undefined : value.subarray(undoHeaderBytes);
  return { deleted: (flags & undoFlags.deleted) !== 0, before };
}
