// The image of a tree as it travels and is loaded: a header, the retained versions of user keys by revision, the records
// of other spaces, sessions, an end with counts. Says nothing of the layout of any store. The space `local` is not in it.
// Chunk: crc32 of what follows (u32), sequence number (u32), items. Item: kind (u8), fields.

import { crc32 } from 'node:zlib';
import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, RememberedResult, RetainedVersion, SessionRecord, TreeMeta } from '../tree/store.js';
import { knownResultCode, resultCodeNumber } from '../wire/command-codec.js';
import { otherSpaces } from '../wire/replicated-spaces.js';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';

export type ImageItem =
  | { readonly type: 'header'; readonly meta: TreeMeta }
  /**
   * A version of a user key, in order of revision, then key: all above the compacted revision, and below it what was
   * current there.
   */
  | { readonly type: 'version'; readonly version: RetainedVersion }
  | { readonly type: 'record'; readonly space: SpaceId; readonly record: KeyRecord }
  | { readonly type: 'session'; readonly session: SessionRecord }
  /** Counts of the items before it, so that a lost chunk shows. */
  | { readonly type: 'end'; readonly items: number };

const formatVersion = 1;
const kinds = { header: 1, record: 2, version: 3, session: 4, end: 5 } as const;

/** Packs items into chunks. */
export class ImageEncoder {
  private readonly buffer: GrowingBuffer;
  private sequence = 0;
  private items = 0;

  constructor(chunkBytes: number) {
    this.buffer = new GrowingBuffer(chunkBytes + 4096);
    this.begin();
  }

  get length(): number {
    return this.buffer.length;
  }

  add(item: Exclude<ImageItem, { type: 'end' }>): void {
    this.items += 1;
    const buffer = this.buffer;
    buffer.byte(kinds[item.type]);
    switch (item.type) {
      case 'header':
        buffer.varint(formatVersion);
        encodeMeta(buffer, item.meta);
        return;
      case 'record':
        buffer.byte(item.space);
        encodeKeyRecord(buffer, item.record);
        return;
      case 'version':
        encodeVersionItem(buffer, item.version);
        return;
      case 'session':
        encodeSession(buffer, item.session);
    }
  }

  end(): void {
    this.buffer.byte(kinds.end);
    this.buffer.varint(this.items);
  }

  /** The chunk so far, in memory of its own. */
  take(): Bytes {
    const length = this.buffer.length;
    this.buffer.patchUint32(0, crc32(this.buffer.view().subarray(4, length)));
    const chunk = Buffer.from(this.buffer.view());
    this.buffer.clear();
    this.begin();
    return chunk;
  }

  private begin(): void {
    this.buffer.uint32(0);
    this.buffer.uint32(this.sequence);
    this.sequence += 1;
  }
}

/** Unpacks chunks in order and hands out their items. Item bytes share memory with the chunk. */
export class ImageDecoder {
  private sequence = 0;
  private items = 0;
  private ended = false;

  get complete(): boolean {
    return this.ended;
  }

  /** Throws StoreError CORRUPT when the chunk is damaged, out of order or not understood. */
  read(chunk: Bytes, take: (item: ImageItem) => void): void {
    const cursor = new ByteCursor(chunk);
    try {
      const expected = cursor.uint32();
      if (crc32(chunk.subarray(4)) !== expected) throw new RangeError('its checksum does not match');
      const sequence = cursor.uint32();
      if (sequence !== this.sequence) throw new RangeError(`it is number ${sequence}, expected ${this.sequence}`);
      this.sequence += 1;
      while (!cursor.done) this.item(cursor, take);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new StoreError('CORRUPT', `Cannot read chunk ${this.sequence} of a tree image: ${cause.message}`, {
        cause,
      });
    }
  }

  private item(cursor: ByteCursor, take: (item: ImageItem) => void): void {
    if (this.ended) throw new RangeError('something follows its end');
    const kind = cursor.byte();
    if (kind === kinds.end) {
      const items = cursor.varint();
      if (items !== this.items) throw new RangeError(`it has ${this.items} items, expected ${items}`);
      this.ended = true;
      return;
    }
    if ((kind === kinds.header) !== (this.items === 0)) throw new RangeError('its header is not where it should be');
    this.items += 1;
    take(decodeItem(cursor, kind));
  }
}

function decodeItem(cursor: ByteCursor, kind: number): ImageItem {
  switch (kind) {
    case kinds.header: {
      const version = cursor.varint();
      if (version !== formatVersion) throw new RangeError(`its format is ${version}, expected ${formatVersion}`);
      return { type: 'header', meta: decodeMeta(cursor) };
    }
    case kinds.record: {
      const number = cursor.byte();
      const space = otherSpaces.find((other) => other === number);
      if (space === undefined) throw new RangeError(`a record is of space ${number}, which no image holds`);
      return { type: 'record', space, record: decodeKeyRecord(cursor) };
    }
    case kinds.version:
      return { type: 'version', version: decodeVersionItem(cursor) };
    case kinds.session:
      return { type: 'session', session: decodeSession(cursor) };
    default:
      throw new RangeError(`an item is of unknown kind ${kind}`);
  }
}

export function encodeMeta(buffer: GrowingBuffer, meta: TreeMeta): void {
  buffer.varint(meta.appliedZxid);
  buffer.varint(meta.revision);
  buffer.varint(meta.compactedRevision);
  buffer.varint(meta.sessionsEvictedThrough);
}

export function decodeMeta(cursor: ByteCursor): TreeMeta {
  return {
    appliedZxid: cursor.varint() as Zxid,
    revision: cursor.varint() as Revision,
    compactedRevision: cursor.varint() as Revision,
    sessionsEvictedThrough: cursor.varint() as Zxid,
  };
}

/** Everything of a record but its key and value; the digest hashes exactly these bytes too. */
export function encodeRecordFields(buffer: GrowingBuffer, record: KeyRecord): void {
  buffer.varint(record.createRevision);
  buffer.varint(record.modRevision);
  buffer.varint(record.version);
  buffer.varint64(record.lease);
}

export function encodeKeyRecord(buffer: GrowingBuffer, record: KeyRecord): void {
  buffer.lengthAndBytes(record.key);
  encodeRecordFields(buffer, record);
  buffer.lengthAndBytes(record.value);
}

export function decodeKeyRecord(cursor: ByteCursor): KeyRecord {
  const key = cursor.lengthAndBytes();
  const createRevision = cursor.varint() as Revision;
  const modRevision = cursor.varint() as Revision;
  const version = cursor.varint();
  const lease = cursor.varint64();
  const value = cursor.lengthAndBytes();
  return { key, value, createRevision, modRevision, version, lease };
}

/** The hash over versions hashes exactly these bytes too. */
export function encodeVersionItem(buffer: GrowingBuffer, { key, modRevision, record }: RetainedVersion): void {
  buffer.byte(record === null ? 1 : 0);
  if (record !== null) {
    encodeKeyRecord(buffer, record);
    return;
  }
  buffer.varint(modRevision);
  buffer.lengthAndBytes(key);
}

function decodeVersionItem(cursor: ByteCursor): RetainedVersion {
  if (cursor.byte() === 0) {
    const record = decodeKeyRecord(cursor);
    return { key: record.key, modRevision: record.modRevision, record };
  }
  const modRevision = cursor.varint() as Revision;
  return { key: cursor.lengthAndBytes(), modRevision, record: null };
}

export function encodeSession(buffer: GrowingBuffer, session: SessionRecord): void {
  buffer.varint(session.client);
  buffer.varint(session.lastUsed);
  buffer.varint(session.acknowledgedBelow);
  buffer.varint(session.results.length);
  for (const result of session.results) {
    buffer.varint(result.request);
    buffer.varint(resultCodeNumber(result.code));
    buffer.varint(result.revision);
    buffer.varint(result.zxid);
  }
}

export function decodeSession(cursor: ByteCursor): SessionRecord {
  const client = cursor.varint() as ClientId;
  const lastUsed = cursor.varint() as Zxid;
  const acknowledgedBelow = cursor.varint();
  const results: RememberedResult[] = [];
  for (let left = cursor.varint(); left > 0; left--) {
    const request = cursor.varint();
    const code = knownResultCode(cursor.varint());
    if (code === undefined) throw new RangeError('a remembered result has an unknown code');
    results.push({ request, code, revision: cursor.varint() as Revision, zxid: cursor.varint() as Zxid });
  }
  return { client, lastUsed, acknowledgedBelow, results };
}
