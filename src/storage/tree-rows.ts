// Rows of the LMDB tables as bytes (docs/decisions/0007-versions-by-revision.md). Every value carries a checksum over itself and
// its key, verified when it is read. Keys are order-preserving. No table is opened here.

import { type Bytes, copyPart, emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, KeyState } from '../tree/store.js';
import { ByteCursor, type GrowingBuffer } from './growing-buffer.js';
import { crcOf } from './row-checksum.js';
import { encodeRecordFields } from './tree-image.js';
import { type Chain, type Links, noRevision } from './version-links.js';

export const userSpace: SpaceId = 1;
export const localSpace: SpaceId = 3;

export const checksumBytes = 4;
export const revisionBytes = 8;
/** Longest key that LMDB takes. */
export const rowKeyBytesMax = 1978;

/** Key of `heads` and `records`: space, key. */
export function headKey(space: SpaceId, key: Bytes): Buffer {
  const row = Buffer.allocUnsafe(key.length + 1);
  row[0] = space;
  row.set(key, 1);
  return row;
}

/** Builds row keys for reads without making an object for each: a key is valid until the next one of its kind. */
export class LookupKeys {
  private readonly heads = new KeyScratch();
  private readonly versions = new KeyScratch();

  head(space: SpaceId, key: Bytes): Buffer {
    const row = this.heads.ofLength(key.length + 1);
    row[0] = space;
    row.set(key, 1);
    return row;
  }

  version(revision: Revision, head: Bytes): Buffer {
    const row = this.versions.ofLength(revisionBytes + head.length);
    writeRevision(row, 0, revision);
    row.set(head, revisionBytes);
    return row;
  }
}

class KeyScratch {
  private readonly bytes = Buffer.alloc(rowKeyBytesMax);
  /** Views of `bytes` by length. */
  private readonly views: Buffer[] = [];

  ofLength(length: number): Buffer {
    const known = this.views[length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(0, length);
    this.views[length] = view;
    return view;
  }
}

/** First head key behind a space. */
export function spaceEnd(space: SpaceId): Buffer {
  return Buffer.from([space + 1]);
}

/** Key of `versions`: revision (8 bytes, big-endian), head key. */
export function versionKey(revision: Revision, head: Bytes): Buffer {
  const row = Buffer.allocUnsafe(revisionBytes + head.length);
  writeRevision(row, 0, revision);
  row.set(head, revisionBytes);
  return row;
}

/** The first key of `versions` at or after a revision. */
export function versionStart(revision: Revision): Buffer {
  return versionKey(revision, emptyBytes);
}

/** The user's key in a key of `versions`, in memory of its own. */
export function keyOfVersion(row: Bytes): Bytes {
  return copyPart(row, revisionBytes + 1, row.length);
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
  const low = revision >>> 0;
  row.writeUInt32BE((revision - low) / 2 ** 32, at);
  row.writeUInt32BE(low, at + 4);
}

/** Checksum over a row's key and its value without the checksum's own place. Large values may be LMDB's own memory. */
function rowChecksum(key: Bytes, value: Bytes): number {
  return crcOf(value, checksumBytes, crcOf(key, 0, 0));
}

/** Writes the checksum into its place. */
export function seal(key: Bytes, value: Buffer): Buffer {
  value.writeUInt32LE(rowChecksum(key, value), 0);
  return value;
}

/** Throws CORRUPT unless the value is what was sealed under this key. */
export function verify(table: string, key: Bytes, value: Bytes): void {
  if (value.length >= checksumBytes) {
    const [a, b, c] = [value[0] as number, value[1] as number, value[2] as number];
    const expected = (a | (b << 8) | (c << 16) | ((value[3] as number) << 24)) >>> 0;
    if (rowChecksum(key, value) === expected) return;
  }
  const shown = JSON.stringify(Buffer.from(key).toString('latin1'));
  throw new StoreError('CORRUPT', `Cannot read row ${shown} of table "${table}": its checksum does not match`);
}

/**
 * A stored version: checksum, flags, links (previous, jump), then unless it is a deletion the record's fields and value.
 * The head of the row has a fixed length, so that links are filled in where the version was packed.
 */
export const versionHeaderBytes = checksumBytes + 1 + 2 * revisionBytes;
const previousAt = checksumBytes + 1;
const jumpAt = previousAt + revisionBytes;

const flags = { deleted: 1, previousDeleted: 2 } as const;

/** What a version says of the versions before it. */
export interface VersionLinks extends Links {
  readonly previousDeleted: boolean;
}

/** Appends a version without links; its checksum is still to be sealed. */
export function encodeVersion(buffer: GrowingBuffer, record: KeyRecord | null): void {
  buffer.uint32(0);
  buffer.byte(record === null ? flags.deleted : 0);
  for (let i = 0; i < 4; i++) buffer.uint32(0);
  if (record === null) return;
  encodeRecordFields(buffer, record);
  buffer.bytes(record.value);
}

export function writeLinks(stored: Buffer, links: VersionLinks): void {
  if (links.previousDeleted) stored[checksumBytes] = (stored[checksumBytes] as number) | flags.previousDeleted;
  writeRevision(stored, previousAt, links.previous);
  writeRevision(stored, jumpAt, links.jump);
}

export function readLinks(stored: Bytes): VersionLinks {
  const previousDeleted = ((stored[checksumBytes] as number) & flags.previousDeleted) !== 0;
  return {
    previous: readRevision(stored, previousAt),
    jump: readRevision(stored, jumpAt),
    previousDeleted,
  };
}

export function isDeletion(stored: Bytes): boolean {
  return ((stored[checksumBytes] as number) & flags.deleted) !== 0;
}

/** Decodes a verified version that is no deletion. The value shares memory with `stored` unless it is left out. */
export function decodeVersion(key: Bytes, stored: Bytes, keysOnly: boolean): KeyRecord {
  const cursor = new ByteCursor(stored, versionHeaderBytes);
  const createRevision = cursor.varint() as Revision;
  const modRevision = cursor.varint() as Revision;
  const version = cursor.varint();
  const lease = cursor.varint64();
  const value = keysOnly ? emptyBytes : stored.subarray(cursor.at);
  return { key, value, createRevision, modRevision, version, lease };
}

/** The fields of a version that is no deletion, without its value. */
export function decodeState(stored: Bytes): KeyState {
  const cursor = new ByteCursor(stored, versionHeaderBytes);
  const createRevision = cursor.varint() as Revision;
  const modRevision = cursor.varint() as Revision;
  return { createRevision, modRevision, version: cursor.varint(), lease: cursor.varint64() };
}

/** What `heads` says of a key: its newest version without the value, and where its versions are. */
export interface Head {
  readonly deleted: boolean;
  /** Zeros when it is deleted. */
  readonly createRevision: Revision;
  readonly version: number;
  readonly lease: bigint;
  readonly chain: Chain;
}

/** Every head takes this at least, so that it keeps its place in its page when its key is written again and again. */
const headBytesMin = 24;
const zeros = Buffer.alloc(headBytesMin);

/**
 * A stored head: checksum, flags, create revision, version, lease, length of the chain, its roots as differences (none of
 * which is 0), zeros.
 */
export function encodeHead(buffer: GrowingBuffer, head: Head): void {
  const { deleted, createRevision, version, lease, chain } = head;
  const start = buffer.length;
  buffer.uint32(0);
  buffer.byte(deleted ? flags.deleted : 0);
  buffer.varint(createRevision);
  buffer.varint(version);
  buffer.varint64(lease);
  buffer.varint(chain.length);
  let newer = 0;
  for (const root of chain.roots) {
    buffer.varint(newer === 0 ? root : newer - root);
    newer = root;
  }
  const bytes = buffer.length - start;
  if (bytes < headBytesMin) buffer.bytes(zeros.subarray(bytes));
}

/** Decodes a verified head. */
export function decodeHead(stored: Bytes): Head {
  const cursor = new ByteCursor(stored, checksumBytes);
  const deleted = (cursor.byte() & flags.deleted) !== 0;
  const createRevision = cursor.varint() as Revision;
  const version = cursor.varint();
  const lease = cursor.varint64();
  const length = cursor.varint();
  const roots: Revision[] = [];
  let newer = 0;
  while (!cursor.done) {
    const next = cursor.varint();
    if (next === 0) break;
    newer = newer === 0 ? next : newer - next;
    roots.push(newer as Revision);
  }
  return { deleted, createRevision, version, lease, chain: { length, roots } };
}

/** Revision of the newest version; a head has one at least. */
export function newestOf(head: Head): Revision {
  return head.chain.roots[0] ?? noRevision;
}
