// One file of the commit log: a header of its own, then records. Knows where in the whole log it lies and finds records
// by zxid. Decides nothing: when to write, roll, cut or remove is the commit log's business.

import path from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../shared/assert.js';
import { toZxid, type Zxid } from '../shared/ids.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { readUint64, writeUint64 } from './log-record.js';
import type { StorageRuntime } from './storage-runtime.js';

export const segmentHeaderBytes = 64;
export const logFormatVersion = 1;
const segmentMagic = Buffer.from('ZABTLOG\0', 'latin1');
/** One index entry per about this many bytes of records. */
const indexStepBytes = 64 * 1024;

export interface SegmentHeader {
  readonly sequence: number;
  /** Random per log; seeds the checksums of local headers, so that records of another log are never taken for ours. */
  readonly salt: number;
  /** Last zxid before the segment, and the chain there. */
  readonly base: Zxid;
  readonly baseChain: number;
  /** Bytes of the log before this segment's first byte. All of them were durable when this header was written. */
  readonly startPosition: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  segmentMagic.copy(bytes, 0);
  bytes.writeUInt32LE(logFormatVersion, 8);
  bytes.writeUInt32LE(header.salt, 16);
  bytes.writeUInt32LE(header.baseChain, 20);
  writeUint64(bytes, header.sequence, 24);
  writeUint64(bytes, header.base, 32);
  writeUint64(bytes, header.startPosition, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(16)), 12);
  return bytes;
}

export type DecodedSegmentHeader =
  | { readonly type: 'valid'; readonly header: SegmentHeader }
  | { readonly type: 'version'; readonly version: number }
  /** Not a header that was written whole: a spare segment, a torn first write, or damage. */
  | { readonly type: 'none' };

export function decodeSegmentHeader(bytes: Buffer): DecodedSegmentHeader {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, 8).equals(segmentMagic)) return { type: 'none' };
  const version = bytes.readUInt32LE(8);
  // No format is version 0: the first write to a spare segment was torn behind the magic.
  if (version === 0) return { type: 'none' };
  if (version !== logFormatVersion) return { type: 'version', version };
  if (bytes.readUInt32LE(12) !== crc32(bytes.subarray(16, segmentHeaderBytes))) return { type: 'none' };
  const [sequence, base, startPosition] = [readUint64(bytes, 24), readUint64(bytes, 32), readUint64(bytes, 40)];
  if (Number.isNaN(sequence) || Number.isNaN(base) || Number.isNaN(startPosition)) return { type: 'none' };
  const header = {
    salt: bytes.readUInt32LE(16),
    baseChain: bytes.readUInt32LE(20),
    sequence,
    base: toZxid(base),
    startPosition,
  };
  return { type: 'valid', header };
}

export function newSalt(runtime: StorageRuntime): number {
  return runtime.randomBytes(4).readUInt32LE(0);
}

export function segmentFileName(sequence: number): string {
  return `segment-${String(sequence).padStart(8, '0')}`;
}

/** Sequence number in a segment's file name, undefined for other names. */
export function sequenceOfFileName(name: string): number | undefined {
  const match = /^segment-([0-9]{8,15})$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export class LogSegment {
  readonly file: string;
  readonly header: SegmentHeader;
  /** Every write through this is on disk when it returns (O_DSYNC): one system call where write + fdatasync are two. */
  readonly handle: OpenFile;
  /** Preallocated bytes of the file. */
  readonly capacity: number;
  /** Zxid and chain at `end`. */
  last: Zxid;
  chain: number;
  /** Offset after the last record written or being written. */
  end: number = segmentHeaderBytes;
  /** Offset up to which everything is on disk; reads go no further. */
  durableEnd: number = segmentHeaderBytes;
  private readonly indexFirst: Zxid[] = [];
  private readonly indexOffset: number[] = [];
  private users = 0;
  private retired = false;

  constructor(options: {
    readonly files: FileSystem;
    readonly directory: string;
    readonly header: SegmentHeader;
    readonly capacity: number;
  }) {
    this.file = path.join(options.directory, segmentFileName(options.header.sequence));
    this.header = options.header;
    this.capacity = options.capacity;
    this.last = options.header.base;
    this.chain = options.header.baseChain;
    this.handle = options.files.openSync(this.file, 'durable');
  }

  get endPosition(): number {
    return this.header.startPosition + this.end;
  }

  get isEmpty(): boolean {
    return this.end === segmentHeaderBytes;
  }

  /** Notes that a record of these zxids was put at `end`. */
  added(record: { readonly first: Zxid; readonly last: Zxid; readonly chain: number; readonly bytes: number }): void {
    const indexed = this.indexOffset.at(-1);
    if (indexed === undefined || this.end - indexed >= indexStepBytes) {
      this.indexFirst.push(record.first);
      this.indexOffset.push(this.end);
    }
    this.last = record.last;
    this.chain = record.chain;
    this.end += record.bytes;
  }

  /** Forgets the records from `offset` on; `last` and `chain` are those of the record before it. */
  cut(at: { readonly offset: number; readonly last: Zxid; readonly chain: number }): void {
    assert(at.offset <= this.end, `Cannot cut ${this.file} at ${at.offset}: it ends at ${this.end}`);
    this.end = at.offset;
    this.durableEnd = Math.min(this.durableEnd, at.offset);
    this.last = at.last;
    this.chain = at.chain;
    while ((this.indexOffset.at(-1) ?? -1) >= at.offset) {
      this.indexOffset.pop();
      this.indexFirst.pop();
    }
  }

  /** Offset of a record at or not far before the first one that ends after `after`. */
  offsetBefore(after: Zxid): number {
    let low = 0;
    let high = this.indexFirst.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.indexFirst[middle] as Zxid) <= after) low = middle + 1;
      else high = middle;
    }
    return this.indexOffset[low - 1] ?? segmentHeaderBytes;
  }

  /** Keeps the file open until `release`, also when the segment is removed meanwhile. */
  use(): void {
    assert(!(this.retired && this.users === 0), `Cannot use ${this.file}: it is closed`);
    this.users += 1;
  }

  release(): void {
    this.users -= 1;
    this.closeIfUnused();
  }

  /** Closes the file once nobody uses it. */
  retire(): void {
    if (this.retired) return;
    this.retired = true;
    this.closeIfUnused();
  }

  private closeIfUnused(): void {
    if (this.retired && this.users === 0) this.handle.closeSync();
  }
}
