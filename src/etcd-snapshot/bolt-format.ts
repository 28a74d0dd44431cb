// The bytes of a bbolt database file, format version 2: page headers, elements of branch and leaf pages, and the two meta
// pages. Numbers are little-endian. Knows no file, no order of keys and no tree.

import { SnapshotFileError } from './snapshot-file-error.js';

/** Of the files that are written here; a file that is read says its own. */
export const writtenPageBytes = 4096;
export const pageHeaderBytes = 16;
/** Position, length of the key, page; and flags, position, length of the key, length of the value. */
export const elementBytes = 16;
/** Root page of a bucket and its sequence number; what a bucket's value begins with. */
export const bucketHeaderBytes = 16;

export const pageFlags = { branch: 0x01, leaf: 0x02, meta: 0x04, freelist: 0x10 } as const;
/** Flag of a leaf's element whose value is a bucket. */
export const bucketElement = 0x01;

const magic = 0xed0cdaed;
const formatVersion = 2;
const metaBytes = 64;
/** The checksum is the last field, over all before it. */
const checksumOffset = 56;
const fnvOffset = 0xcbf29ce484222325n;
const fnvPrime = 0x100000001b3n;
const pageBytesLeast = 512;
const pageBytesMost = 65_536;

export interface PageHeader {
  readonly id: number;
  readonly flags: number;
  readonly count: number;
  /** Pages after the first one that belong to this one. */
  readonly overflow: number;
}

export interface BoltMeta {
  readonly pageBytes: number;
  /** Page of the bucket that holds all buckets. */
  readonly root: number;
  /** Pages in use: each id is below this. */
  readonly pageCount: number;
  readonly transaction: number;
}

export function writePageHeader(page: Buffer, header: PageHeader): void {
  writeUint64(page, header.id, 0);
  page.writeUInt16LE(header.flags, 8);
  page.writeUInt16LE(header.count, 10);
  page.writeUInt32LE(header.overflow, 12);
}

export function readPageHeader(page: Buffer): PageHeader {
  return {
    id: readUint64(page, 0),
    flags: page.readUInt16LE(8),
    count: page.readUInt16LE(10),
    overflow: page.readUInt32LE(12),
  };
}

/** A whole meta page. `freelist`: the page that lists the free pages. */
export function encodeMetaPage(id: number, meta: BoltMeta, freelist: number): Buffer {
  const page = Buffer.alloc(meta.pageBytes);
  writePageHeader(page, { id, flags: pageFlags.meta, count: 0, overflow: 0 });
  const body = page.subarray(pageHeaderBytes);
  body.writeUInt32LE(magic, 0);
  body.writeUInt32LE(formatVersion, 4);
  body.writeUInt32LE(meta.pageBytes, 8);
  writeUint64(body, meta.root, 16);
  writeUint64(body, freelist, 32);
  writeUint64(body, meta.pageCount, 40);
  writeUint64(body, meta.transaction, 48);
  body.writeBigUInt64LE(fnv1a(body.subarray(0, checksumOffset)), checksumOffset);
  return page;
}

/** The meta at the beginning of these bytes, after a page's header; null when it is none or damaged. */
export function decodeMetaPage(page: Buffer): BoltMeta | null {
  if (page.length < pageHeaderBytes + metaBytes) return null;
  const body = page.subarray(pageHeaderBytes);
  if (body.readUInt32LE(0) !== magic || body.readUInt32LE(4) !== formatVersion) return null;
  if (body.readBigUInt64LE(checksumOffset) !== fnv1a(body.subarray(0, checksumOffset))) return null;
  const pageBytes = body.readUInt32LE(8);
  if (pageBytes < pageBytesLeast || pageBytes > pageBytesMost || (pageBytes & (pageBytes - 1)) !== 0)
    throw new SnapshotFileError(`its pages have ${pageBytes} bytes, expected a power of 2 up to ${pageBytesMost}`);
  return {
    pageBytes,
    root: readUint64(body, 16),
    pageCount: readUint64(body, 40),
    transaction: readUint64(body, 48),
  };
}

/** Sizes of pages at which a second meta page may be looked for when the first says nothing. */
export function* possiblePageBytes(): Generator<number, undefined, undefined> {
  for (let bytes = pageBytesLeast; bytes <= pageBytesMost; bytes *= 2) yield bytes;
  return undefined;
}

/** Value of a bucket's element whose pages are elsewhere. */
export function encodeBucket(root: number): Buffer {
  const value = Buffer.alloc(bucketHeaderBytes);
  writeUint64(value, root, 0);
  return value;
}

export function writeUint64(target: Buffer, value: number, offset: number): void {
  const low = value >>> 0;
  target.writeUInt32LE(low, offset);
  target.writeUInt32LE((value - low) / 2 ** 32, offset + 4);
}

/** A number past 2^53 is no page and no count of any file. */
export function readUint64(source: Buffer, offset: number): number {
  const value = source.readUInt32LE(offset + 4) * 2 ** 32 + source.readUInt32LE(offset);
  if (!Number.isSafeInteger(value)) throw new SnapshotFileError('a page number in it is out of range');
  return value;
}

function fnv1a(bytes: Buffer): bigint {
  let hash = fnvOffset;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * fnvPrime);
  return hash;
}
