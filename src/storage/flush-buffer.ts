// The versions of one flush as one byte string that moves to the writer thread without being copied: in (space, key,
// revision) order, each with its record as it will be stored. Filled in slices so that the event loop goes on.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { VersionWrite } from '../tree/store.js';
import { ByteCursor, type GrowingBuffer } from './growing-buffer.js';
import { encodeRecordFields } from './tree-image.js';
import { checksumBytes } from './tree-rows.js';

/** Fields of a record take at most this many bytes. */
const fieldBytesMax = 34;

/** One version read back from a flush buffer. */
export interface PackedVersion {
  readonly space: SpaceId;
  /** Key of the `current` row: space and key. Shares memory with the buffer. */
  readonly rowKey: Buffer;
  readonly modRevision: Revision;
  /** As it is stored, its checksum still to be sealed; undefined: deleted. Shares memory with the buffer. */
  readonly stored: Buffer | undefined;
}

export function packVersion(buffer: GrowingBuffer, version: VersionWrite): void {
  const { space, key, modRevision, record } = version;
  buffer.varint(key.length + 1);
  buffer.byte(space);
  buffer.bytes(key);
  buffer.varint(modRevision);
  if (record === null) {
    buffer.varint(0);
    return;
  }
  // The length comes first and is not known yet: room for the longest is left, the fields are measured behind it.
  const start = buffer.length;
  buffer.uint32(0);
  buffer.uint32(0);
  encodeRecordFields(buffer, record);
  buffer.bytes(record.value);
  buffer.patchVarint4(start, buffer.length - start - checksumBytes);
}

/** Bytes that packVersion takes at most. */
export function packedBytesMax(version: VersionWrite): number {
  const { key, record } = version;
  return key.length + 16 + (record === null ? 0 : record.value.length + fieldBytesMax + 8);
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
    const rowKey = this.slice(cursor.varint());
    const modRevision = cursor.varint() as Revision;
    const length = cursor.varint();
    const stored = length === 0 ? undefined : this.slice(length);
    return { space: rowKey[0] as SpaceId, rowKey, modRevision, stored };
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
