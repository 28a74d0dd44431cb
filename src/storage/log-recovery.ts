// Opens the segments of a commit log after any kind of end of the process: finishes an interrupted truncation, cuts a
// torn tail, and refuses a log of which something is missing that may have been acknowledged.

import path from 'node:path';
import { formatZxid } from '../shared/ids.js';
import { FileWindow, fillZeros, firstNonZero, removeDurably, rewriteDurably } from './durable-files.js';
import { EpochEnds, gapBefore } from './epoch-ends.js';
import type { FileSystem, OpenFile } from './file-system.js';
import { LogDamageError } from './log-damage-error.js';
import { recordBytes } from './log-record.js';
import {
  decodeSegmentHeader,
  LogSegment,
  logFormatVersion,
  type SegmentHeader,
  segmentHeaderBytes,
  sequenceOfFileName,
} from './log-segment.js';
import { type CuttableSegment, clearTruncationMark, readTruncationMark, removeFromPosition } from './log-truncation.js';
import { greatestDurablePosition, type WalkEnd, walkRecords } from './log-walk.js';
import type { SpareSegment } from './segment-allocator.js';

const windowBytes = 4 * 2 ** 20;

export interface RecoveredLog {
  /** Oldest first, at least one; the last one takes the next append. */
  readonly segments: LogSegment[];
  readonly epochEnds: EpochEnds;
  /** Greater than the sequence of any segment that ever was in the directory and is still there. */
  readonly nextSequence: number;
  /** A file of zeros that was to become the next segment: what is there of it need not be written again. */
  readonly spare: SpareSegment | null;
  /** The torn tail that was cut, for the operator. */
  readonly cut: { readonly file: string; readonly offset: number; readonly reason: string } | null;
}

interface SegmentFile {
  readonly file: string;
  readonly sequence: number;
  readonly size: number;
  /** All of its bytes have their place on the disk. */
  readonly allocated: boolean;
  /** null: a spare, or the first write to it was torn. */
  readonly header: SegmentHeader | null;
}

interface SegmentEnd extends WalkEnd {
  /** Greatest position up to which its records say that the log was durable. */
  readonly known: number;
}

export async function recoverLog(fileSystem: FileSystem, directory: string): Promise<RecoveredLog> {
  const files = await finishTruncation(fileSystem, directory, await listSegmentFiles(fileSystem, directory));
  const first = files[0];
  if (first === undefined) throw new LogDamageError(directory, 0, 'there is no segment in it');
  if (first.header === null) throw new LogDamageError(first.file, 0, 'no valid segment header');
  const segments: LogSegment[] = [];
  try {
    const epochEnds = new EpochEnds(first.header.base);
    let end: SegmentEnd = { offset: 0, bad: null, known: 0 };
    for (const file of files) {
      if (file.header === null) break;
      checkFollows(segments.at(-1), file, file.header, end);
      const segment = new LogSegment({ files: fileSystem, directory, header: file.header, capacity: file.size });
      segments.push(segment);
      end = await readSegment(segment, epochEnds, segments.length === 1);
    }
    const nextSequence = Math.max(...files.map((file) => file.sequence)) + 1;
    const tail = await cutTail(fileSystem, segments, files.slice(segments.length), end);
    await bringToDisk(segments.at(-1) as LogSegment, end.known);
    return { segments, epochEnds, nextSequence, ...tail };
  } catch (error) {
    for (const segment of segments) segment.retire();
    throw error;
  }
}

async function listSegmentFiles(fileSystem: FileSystem, directory: string): Promise<SegmentFile[]> {
  const files: SegmentFile[] = [];
  for (const name of await fileSystem.list(directory)) {
    const sequence = sequenceOfFileName(name);
    if (sequence !== undefined) files.push(readSegmentFile(fileSystem, path.join(directory, name), sequence));
  }
  return files.sort((a, b) => a.sequence - b.sequence);
}

function readSegmentFile(fileSystem: FileSystem, file: string, sequence: number): SegmentFile {
  const handle = fileSystem.openSync(file, 'read');
  try {
    const { size, allocatedBytes } = handle.extentSync();
    const allocated = allocatedBytes >= size;
    const bytes = Buffer.alloc(segmentHeaderBytes);
    const length = handle.readSync(bytes, 0, 0);
    const decoded = decodeSegmentHeader(bytes.subarray(0, length));
    if (decoded.type === 'version') {
      throw new Error(
        `Cannot use commit log "${file}": format version is ${decoded.version}, expected ${logFormatVersion}`,
      );
    }
    if (decoded.type === 'none') return { file, sequence, size, allocated, header: null };
    if (decoded.header.sequence !== sequence)
      throw new LogDamageError(file, 0, `it is segment ${decoded.header.sequence} by its header`);
    return { file, sequence, size, allocated, header: decoded.header };
  } finally {
    handle.closeSync();
  }
}

async function finishTruncation(
  fileSystem: FileSystem,
  directory: string,
  files: SegmentFile[],
): Promise<SegmentFile[]> {
  const position = await readTruncationMark(fileSystem, directory);
  if (position === undefined) return files;
  const cuttable: CuttableSegment[] = [];
  for (const { file, header, size } of files) {
    if (header !== null) cuttable.push({ file, startPosition: header.startPosition, end: size });
  }
  await removeFromPosition(fileSystem, cuttable, position);
  await clearTruncationMark(fileSystem, directory);
  return listSegmentFiles(fileSystem, directory);
}

/** A segment is begun only when all before it is on disk, so whatever does not fit is damage, not a torn tail. */
function checkFollows(previous: LogSegment | undefined, file: SegmentFile, header: SegmentHeader, end: WalkEnd): void {
  if (previous === undefined) return;
  if (header.salt !== previous.header.salt) throw new LogDamageError(file.file, 0, 'it belongs to another log');
  if (
    header.startPosition === previous.endPosition &&
    header.base === previous.last &&
    header.baseChain === previous.chain
  )
    return;
  const reason = end.bad ?? 'the log goes on elsewhere';
  throw new LogDamageError(
    previous.file,
    previous.end,
    `${reason}; it was durable up to position ${header.startPosition} (zxid ${formatZxid(header.base)}), but what is left ends at ` +
      `${previous.endPosition} (zxid ${formatZxid(previous.last)}): a record or a whole segment is damaged or missing`,
  );
}

async function readSegment(segment: LogSegment, epochEnds: EpochEnds, isFirst: boolean): Promise<SegmentEnd> {
  let known = 0;
  let unfit: string | null = null;
  const options = {
    from: segmentHeaderBytes,
    limit: segment.capacity,
    salt: segment.header.salt,
    startPosition: segment.header.startPosition,
  };
  const end = await walkRecords(
    recoveryWindow(segment.handle, segment.capacity),
    options,
    ({ header, offset, body }) => {
      if (header.previousChain !== segment.chain) {
        unfit = 'the record does not follow the one before it';
        return false;
      }
      const gap = gapBefore(header, { last: segment.last, empty: isFirst && segment.isEmpty });
      if (gap !== null) throw new LogDamageError(segment.file, offset, gap);
      segment.added({ ...header, bytes: recordBytes(body.length) });
      epochEnds.appended(header.last);
      known = Math.max(known, header.durablePosition);
      return true;
    },
  );
  segment.durableEnd = segment.end;
  return { offset: end.offset, bad: unfit ?? end.bad, known };
}

/** Recovery keeps no body. */
function recoveryWindow(handle: OpenFile, size: number): FileWindow {
  return new FileWindow(handle, Math.min(windowBytes, size), 'until next load');
}

/** Looks at everything behind the log's end and removes what is written there, unless it proves that the end was further on. */
async function cutTail(
  fileSystem: FileSystem,
  segments: readonly LogSegment[],
  rest: readonly SegmentFile[],
  end: WalkEnd,
): Promise<Pick<RecoveredLog, 'cut' | 'spare'>> {
  const tail = segments.at(-1);
  if (tail === undefined) return { cut: null, spare: null };
  const inTail = await firstNonZero(tail.handle, { from: tail.end, to: tail.capacity });
  let known =
    inTail === undefined
      ? 0
      : await greatestMark(tail.handle, tail, {
          from: tail.end,
          to: tail.capacity,
          startPosition: tail.header.startPosition,
        });
  let restWritten = false;
  let spare: SpareSegment | null = null;
  for (const { file, sequence, size, allocated, header } of rest) {
    // Without a header of its own such a file can only be the segment after the tail.
    const startPosition = header?.startPosition ?? tail.endPosition;
    const handle = fileSystem.openSync(file, 'read');
    try {
      if ((await firstNonZero(handle, { from: 0, to: size })) === undefined) {
        if (allocated) spare = { file, sequence, capacity: size };
        continue;
      }
      restWritten = true;
      known = Math.max(
        known,
        header?.startPosition ?? 0,
        await greatestMark(handle, tail, { from: segmentHeaderBytes, to: size, startPosition }),
      );
    } finally {
      handle.closeSync();
    }
  }
  const reason = end.bad ?? 'the segment is full';
  if (known > tail.endPosition) {
    throw new LogDamageError(
      tail.file,
      tail.end,
      `${reason}, after zxid ${formatZxid(tail.last)}, below position ${known} that was known durable (this is ${tail.endPosition}): damage, not a torn tail`,
    );
  }
  for (const { file } of rest.toReversed()) if (file !== spare?.file) await removeDurably(fileSystem, file);
  if (inTail !== undefined) await fillZeros(fileSystem, tail.file, { from: tail.end, to: tail.capacity });
  const cut = inTail === undefined && !restWritten ? null : { file: tail.file, offset: tail.end, reason };
  return { cut, spare };
}

/** An earlier process can have left records in the page cache alone; from here on they count as durable. */
async function bringToDisk(tail: LogSegment, known: number): Promise<void> {
  // The segment's header is written together with its first records.
  await rewriteDurably(tail.handle, { from: Math.max(0, known - tail.header.startPosition), to: tail.end });
}

function greatestMark(
  handle: OpenFile,
  tail: LogSegment,
  range: { readonly from: number; readonly to: number; readonly startPosition: number },
): Promise<number> {
  const { from, to, startPosition } = range;
  return greatestDurablePosition(recoveryWindow(handle, to), {
    from,
    limit: to,
    salt: tail.header.salt,
    startPosition,
  });
}
