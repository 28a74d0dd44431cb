// Reads batches back from a segment's file. Every record is verified again: a damaged one is an error here too, and never
// travels to another node.

import { assert } from '../shared/assert.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { FileWindow } from './durable-files.js';
import { LogDamageError } from './log-damage-error.js';
import { recordBytes } from './log-record.js';
import { type LogSegment, segmentHeaderBytes } from './log-segment.js';
import { type WalkOptions, walkRecords } from './log-walk.js';

const windowBytesMin = 128 * 1024;
const windowBytesMax = 4 * 2 ** 20;

/** Durable batches of this segment that end after `after`: at least one if there is any, up to about bytesMax. */
export async function readBatches(segment: LogSegment, after: Zxid, bytesMax: number): Promise<Batch[]> {
  const stepBytes = Math.min(Math.max(bytesMax, windowBytesMin), windowBytesMax, segment.durableEnd);
  const window = new FileWindow(segment.handle, stepBytes);
  const batches: Batch[] = [];
  let bytes = 0;
  const end = await walkRecords(window, walkFrom(segment, after), ({ header, body }) => {
    if (header.last <= after) return true;
    if (batches.length > 0 && bytes + body.length > bytesMax) return false;
    bytes += body.length;
    // A plain array: slice() of a Buffer would not copy, against what everybody expects of bytes.
    batches.push({
      first: header.first,
      last: header.last,
      body: new Uint8Array(body.buffer, body.byteOffset, body.length),
    });
    return bytes < bytesMax;
  });
  if (end.bad !== null) throw new LogDamageError(segment.file, end.offset, end.bad);
  return batches;
}

/** Where the batch that ends at `to` ends in this segment. */
export async function findBoundary(
  segment: LogSegment,
  to: Zxid,
): Promise<{ readonly offset: number; readonly chain: number }> {
  if (to === segment.header.base) return { offset: segmentHeaderBytes, chain: segment.header.baseChain };
  let found: { readonly offset: number; readonly chain: number } | undefined;
  const end = await walkRecords(
    new FileWindow(segment.handle, Math.min(windowBytesMax, segment.durableEnd)),
    walkFrom(segment, to),
    ({ header, offset }) => {
      if (header.last < to) return true;
      if (header.last === to) found = { offset: offset + recordBytes(header.bodyBytes), chain: header.chain };
      return false;
    },
  );
  if (end.bad !== null) throw new LogDamageError(segment.file, end.offset, end.bad);
  assert(found !== undefined, `Cannot truncate ${segment.file} to ${formatZxid(to)}: no batch ends there`);
  return found;
}

function walkFrom(segment: LogSegment, zxid: Zxid): WalkOptions {
  return {
    from: segment.offsetBefore(zxid),
    limit: segment.durableEnd,
    salt: segment.header.salt,
    startPosition: segment.header.startPosition,
  };
}
