// The versions of one flush as one byte string that moves to the writer thread without being copied: in (space, key,
// revision) order, each with its record as it will be stored. Filled in slices so that the event loop goes on.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { VersionWrite } from '../tree/store.js';
import { ByteCursor, type GrowingBuffer } from './growing-buffer.js';
import { encodeVersion, readRevision, revisionBytes, versionHeaderBytes } from './tree-rows.js';

/** Fields of a record take at most this many bytes. */
const fieldBytesMax = 34;

/** One version read back from a flush buffer. All of it shares memory with the buffer. */
export interface PackedVersion {
  readonly space: SpaceId;
  readonly modRevision: Revision;
  /** Revision, space, key: the key of its row in `versions`. */
  readonly versionKey: Buffer;
  /** Space and key. */
  readonly headKey: Buffer;
  /** As it is stored, its links and checksum still to be filled in. */
  readonly stored: Buffer;
}

export function packVersion(buffer: GrowingBuffer, version: VersionWrite): void {
  const { space, key, modRevision, record } = version;
  buffer.varint(revisionBytes + 1 + key.length);
  buffer.uint64BE(modRevision);
  buffer.byte(space);
  buffer.bytes(key);
  // The length comes first and is not known yet: room for the longest is left.
  const start = buffer.length;
  buffer.uint32(0);
  encodeVersion(buffer, record);
  buffer.patchVarint4(start, buffer.length - start - 4);
}

/** Bytes that packVersion takes at most. */
export function packedBytesMax(version: VersionWrite): number {
  const { byteLength = byteLengthOf(version) } = version;
  return byteLength + 2 * revisionBytes + versionHeaderBytes + fieldBytesMax;
}

function byteLengthOf({ key, record }: VersionWrite): number {
  return key.length + (record === null ? 0 : record.value.length);
}

export class PackedVersions {
  private readonly cursor: ByteCursor;
  private readonly buffer: Buffer;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
    this.cursor = new ByteCursor(buffer);
  }

  next(): PackedVersion | undefined {
    const cursor = this.cursor;
    if (cursor.done) return undefined;
    const versionKey = this.slice(cursor.varint());
    const stored = this.slice(cursor.varint());
    const headKey = versionKey.subarray(revisionBytes);
    return { space: headKey[0] as SpaceId, modRevision: readRevision(versionKey, 0), versionKey, headKey, stored };
  }

  private slice(length: number): Buffer {
    const at = this.cursor.at;
    this.cursor.at = at + length;
    return this.buffer.subarray(at, at + length);
  }
}

/** Whether two keys are equal. */
export function sameKey(a: Bytes | undefined, b: Bytes): boolean {
  return a !== undefined && a.length === b.length && Buffer.compare(a, b) === 0;
}
