// Reads the records of one segment in order and verifies each of them by itself. What a bad record means (a torn tail,
// damage) is for the caller to judge.

import type { FileWindow } from './durable-files.js';
import {
  bodyMatches,
  decodeRecordHeader,
  type RecordHeader,
  recordAlignment,
  recordBytes,
  recordHeaderBytes,
  recordMagic,
  recordMagicOffset,
} from './log-record.js';

export interface WalkedRecord {
  readonly header: RecordHeader;
  readonly offset: number;
  /** Shares memory with the window's buffer; valid as long as the window's views are. */
  readonly body: Buffer;
}

export interface WalkOptions {
  readonly from: number;
  /** Offset at which to end. */
  readonly limit: number;
  readonly salt: number;
  readonly startPosition: number;
}

export interface WalkEnd {
  /** Of the first record that was not visited. */
  readonly offset: number;
  /** Why it was not, null at the limit or when visit returned false. */
  readonly bad: string | null;
}

type Loaded =
  | { readonly type: 'record'; readonly record: WalkedRecord }
  | { readonly type: 'bad'; readonly reason: string };

/** Visits records until `visit` returns false, the limit is reached or a record is bad. */
export async function walkRecords(
  window: FileWindow,
  options: WalkOptions,
  visit: (record: WalkedRecord) => boolean,
): Promise<WalkEnd> {
  let offset = options.from;
  while (offset < options.limit) {
    // Most records are in the window already: they cost no turn of the event loop.
    const loaded = parseCovered(window, options, offset) ?? (await loadRecord(window, options, offset));
    if (loaded.type === 'bad') return { offset, bad: loaded.reason };
    if (!visit(loaded.record)) return { offset, bad: null };
    offset += recordBytes(loaded.record.header.bodyBytes);
  }
  return { offset, bad: null };
}

async function loadRecord(window: FileWindow, options: WalkOptions, offset: number): Promise<Loaded> {
  if (offset + recordHeaderBytes > options.limit) return { type: 'bad', reason: 'no room for a record' };
  if (!(await window.load(offset, recordHeaderBytes))) return { type: 'bad', reason: 'the file ends within a record' };
  const header = decodeRecordHeader(window.view(offset, recordHeaderBytes), options.salt);
  if (header === null) return { type: 'bad', reason: 'no valid record header' };
  const bytes = recordBytes(header.bodyBytes);
  if (offset + bytes > options.limit) return { type: 'bad', reason: 'the record reaches past the end of the segment' };
  if (!window.covers(offset, bytes) && !(await window.load(offset, bytes)))
    return { type: 'bad', reason: 'the file ends within a record' };
  return parseCovered(window, options, offset) ?? { type: 'bad', reason: 'no valid record header' };
}

/** undefined: the window does not cover the whole record. */
function parseCovered(window: FileWindow, options: WalkOptions, offset: number): Loaded | undefined {
  if (!window.covers(offset, recordHeaderBytes)) return undefined;
  const bytes = window.view(offset, recordHeaderBytes);
  const header = decodeRecordHeader(bytes, options.salt);
  if (header === null) return { type: 'bad', reason: 'no valid record header' };
  if (header.position !== options.startPosition + offset) return { type: 'bad', reason: 'a record of another place' };
  if (offset + recordBytes(header.bodyBytes) > options.limit)
    return { type: 'bad', reason: 'the record reaches past the end of the segment' };
  if (!window.covers(offset, recordBytes(header.bodyBytes))) return undefined;
  const body = window.view(offset + recordHeaderBytes, header.bodyBytes);
  if (!bodyMatches(bytes, body)) return { type: 'bad', reason: 'the body does not match its checksum' };
  return { type: 'record', record: { header, offset, body } };
}

/**
 * Greatest durable position that any valid record header at or after `from` speaks of, 0 when there is none. Tells a
 * torn tail (whatever lies behind it was written without knowing it durable) from damage.
 */
export async function greatestDurablePosition(window: FileWindow, options: WalkOptions): Promise<number> {
  const stepBytes = 2 ** 20;
  let greatest = 0;
  for (let start = options.from; start < options.limit; start += stepBytes) {
    // Headers may begin in this step and end in the next one.
    const length = Math.min(stepBytes + recordHeaderBytes, options.limit - start);
    if (length < recordHeaderBytes || !(await window.load(start, length))) break;
    const bytes = window.view(start, length);
    for (let at = 0; at + recordHeaderBytes <= length; at += recordAlignment) {
      if (bytes.readUInt32LE(at + recordMagicOffset) !== recordMagic) continue;
      const header = decodeRecordHeader(bytes.subarray(at, at + recordHeaderBytes), options.salt);
      if (header === null || header.position !== options.startPosition + start + at) continue;
      greatest = Math.max(greatest, header.durablePosition);
    }
  }
  return greatest;
}
