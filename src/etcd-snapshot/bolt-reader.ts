// Reads the buckets of a bbolt database file in order, one page a level in memory. Trusts nothing: every page number, length
// and order is checked before it is used, so that a file made by anybody ends in rows or in a SnapshotFileError.

import { compareBytes } from '../shared/bytes.js';
import {
  type BoltMeta,
  bucketElement,
  bucketHeaderBytes,
  decodeMetaPage,
  elementBytes,
  type PageHeader,
  pageFlags,
  pageHeaderBytes,
  possiblePageBytes,
  readPageHeader,
  readUint64,
} from './bolt-format.js';
import { SnapshotFileError } from './snapshot-file-error.js';

/** Levels of a tree: more than any file has, so that pages which name each other in a circle come to an end. */
const depthMax = 40;
/** One page with those that it flows over into: some of the largest values that a server takes. */
const pageBytesMax = 64 * 2 ** 20;

/** Where the bytes come from. Reads are synchronous: what reads a whole file does nothing else. */
export interface SnapshotFileBytes {
  readonly size: number;
  /** Fills `target` from this offset, which the caller knows to lie in the file. */
  read(target: Uint8Array, offset: number): void;
}

export interface BoltRow {
  /** Views into a page, valid until the next row. */
  readonly key: Buffer;
  readonly value: Buffer;
  readonly isBucket: boolean;
}

/** A page or, in a small bucket, what stands in its place inside the bucket's row. */
interface LoadedPage {
  readonly bytes: Buffer;
  readonly flags: number;
  readonly count: number;
}

interface Place {
  readonly page: LoadedPage;
  next: number;
}

export class BoltReader {
  readonly meta: BoltMeta;
  private readonly file: SnapshotFileBytes;

  /** `bytes`: of the database, without what may follow it in the file. */
  constructor(file: SnapshotFileBytes, bytes: number) {
    this.file = file;
    this.meta = newestMeta(file, bytes);
    const { pageBytes, pageCount } = this.meta;
    if (pageCount > bytes / pageBytes)
      throw new SnapshotFileError(`it has ${bytes} bytes, expected ${pageCount} pages of ${pageBytes}`);
  }

  /** The bucket of this name, null when there is none. */
  bucket(name: string): BoltBucket | null {
    const wanted = Buffer.from(name, 'latin1');
    for (const { key, value, isBucket } of this.rows(this.load(this.meta.root))) {
      if (isBucket && wanted.equals(key)) return new BoltBucket(this, Buffer.from(value));
    }
    return null;
  }

  /** All buckets in the order of their names. */
  *buckets(): Generator<{ readonly name: Buffer; readonly bucket: BoltBucket }, undefined, undefined> {
    for (const { key, value, isBucket } of this.rows(this.load(this.meta.root))) {
      if (!isBucket) throw new SnapshotFileError('it has a row outside of all buckets');
      yield { name: Buffer.from(key), bucket: new BoltBucket(this, Buffer.from(value)) };
    }
    return undefined;
  }

  /** Rows below a page, in order. */
  *rows(root: LoadedPage): Generator<BoltRow, undefined, undefined> {
    const path: Place[] = [{ page: root, next: 0 }];
    let last: Buffer | null = null;
    for (let place = path.at(-1); place !== undefined; place = path.at(-1)) {
      const { page } = place;
      if (place.next === page.count) {
        path.pop();
        continue;
      }
      const index = place.next++;
      if (page.flags === pageFlags.leaf) {
        const row = leafRow(page, index);
        if (last !== null && compareBytes(last, row.key) >= 0) throw new SnapshotFileError('its keys are out of order');
        last = Buffer.from(row.key);
        yield row;
        continue;
      }
      if (path.length === depthMax) throw new SnapshotFileError(`it has more than ${depthMax} levels of pages`);
      const child = this.load(branchChild(page, index));
      // Only the root of an empty bucket has no rows: others would let a few pages be read for ever.
      if (child.count === 0) throw new SnapshotFileError('a page in it is empty');
      path.push({ page: child, next: 0 });
    }
    return undefined;
  }

  /** A leaf or branch page with those that it flows over into. */
  load(id: number): LoadedPage {
    const { pageBytes, pageCount } = this.meta;
    if (id < 2 || id >= pageCount)
      throw new SnapshotFileError(`a page in it has number ${id}, expected 2..${pageCount - 1}`);
    const first = Buffer.allocUnsafe(pageBytes);
    this.file.read(first, id * pageBytes);
    const header = readPageHeader(first);
    if (header.id !== id) throw new SnapshotFileError(`page ${id} says that it is page ${header.id}`);
    if (header.flags !== pageFlags.leaf && header.flags !== pageFlags.branch)
      throw new SnapshotFileError(`page ${id} is neither leaf nor branch`);
    const pages = header.overflow + 1;
    if (pages > pageCount - id) throw new SnapshotFileError(`page ${id} goes on behind the end`);
    if (pages * pageBytes > pageBytesMax)
      throw new SnapshotFileError(`page ${id} has ${pages * pageBytes} bytes, more than ${pageBytesMax}`);
    if (pages === 1) return checkedPage(first, header);
    const bytes = Buffer.allocUnsafe(pages * pageBytes);
    this.file.read(bytes, id * pageBytes);
    return checkedPage(bytes, header);
  }
}

/** One bucket, to be read as often as wanted. */
export class BoltBucket {
  private readonly reader: BoltReader;
  private readonly value: Buffer;

  /** `value`: of the bucket's row. */
  constructor(reader: BoltReader, value: Buffer) {
    if (value.length < bucketHeaderBytes) throw new SnapshotFileError('a bucket in it is cut short');
    this.reader = reader;
    this.value = value;
  }

  rows(): Generator<BoltRow, undefined, undefined> {
    const root = readUint64(this.value, 0);
    return this.reader.rows(root === 0 ? this.inline() : this.reader.load(root));
  }

  /** The row of this key, null when there is none. For small buckets. */
  get(key: string): Buffer | null {
    const wanted = Buffer.from(key, 'latin1');
    for (const row of this.rows()) if (wanted.equals(row.key)) return Buffer.from(row.value);
    return null;
  }

  /** The one page of a small bucket, which stands behind the bucket's header. */
  private inline(): LoadedPage {
    const bytes = this.value.subarray(bucketHeaderBytes);
    if (bytes.length < pageHeaderBytes) throw new SnapshotFileError('a small bucket in it is cut short');
    const header = readPageHeader(bytes);
    if (header.flags !== pageFlags.leaf) throw new SnapshotFileError('a small bucket in it is no leaf');
    return checkedPage(bytes, header);
  }
}

function checkedPage(bytes: Buffer, { flags, count }: PageHeader): LoadedPage {
  if (pageHeaderBytes + count * elementBytes > bytes.length)
    throw new SnapshotFileError(`a page in it has ${count} elements in ${bytes.length} bytes`);
  return { bytes, flags, count };
}

function leafRow({ bytes }: LoadedPage, index: number): BoltRow {
  const at = pageHeaderBytes + index * elementBytes;
  const start = at + bytes.readUInt32LE(at + 4);
  const keyEnd = start + bytes.readUInt32LE(at + 8);
  const end = keyEnd + bytes.readUInt32LE(at + 12);
  if (end > bytes.length) throw new SnapshotFileError('a row in it goes on behind its page');
  return {
    key: bytes.subarray(start, keyEnd),
    value: bytes.subarray(keyEnd, end),
    isBucket: (bytes.readUInt32LE(at) & bucketElement) !== 0,
  };
}

function branchChild({ bytes }: LoadedPage, index: number): number {
  return readUint64(bytes, pageHeaderBytes + index * elementBytes + 8);
}

/** Of the two meta pages the newer one that is whole. */
function newestMeta(file: SnapshotFileBytes, bytes: number): BoltMeta {
  const first = metaAt(file, bytes, 0);
  const second = first === null ? secondMeta(file, bytes) : metaAt(file, bytes, first.pageBytes);
  const newest = first === null || (second !== null && second.transaction > first.transaction) ? second : first;
  if (newest === null)
    throw new SnapshotFileError('it is no bbolt database (neither of its first two pages describes one)');
  return newest;
}

function secondMeta(file: SnapshotFileBytes, bytes: number): BoltMeta | null {
  for (const pageBytes of possiblePageBytes()) {
    const meta = metaAt(file, bytes, pageBytes);
    if (meta !== null && meta.pageBytes === pageBytes) return meta;
  }
  return null;
}

function metaAt(file: SnapshotFileBytes, bytes: number, offset: number): BoltMeta | null {
  const page = Buffer.alloc(Math.max(0, Math.min(128, bytes - offset)));
  if (page.length > 0) file.read(page, offset);
  return decodeMetaPage(page);
}
