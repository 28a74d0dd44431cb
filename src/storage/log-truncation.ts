// Removes the end of a commit log so that it never comes back: first a durable mark that says from where, then newest
// first the removal, then the mark goes. A crash in between is finished at the next opening. Never cuts by guessing.

import path from 'node:path';
import { CheckedFileError, decodeCheckedFile, encodeCheckedFile } from './checked-file.js';
import { errorCodeOf, fillZeros, removeDurably, replaceFile } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import { LogDamageError } from './log-damage-error.js';

export const truncationFileName = 'truncation';
const format = { kind: 'truncation', version: 1 };

/** A segment's file as it is to be cut. `end`: nothing but zeros from there on. */
export interface CuttableSegment {
  readonly file: string;
  readonly startPosition: number;
  readonly end: number;
}

export async function writeTruncationMark(files: FileSystem, directory: string, position: number): Promise<void> {
  await replaceFile(files, path.join(directory, truncationFileName), encodeCheckedFile(format, { position }));
}

/** Position of an unfinished truncation, undefined when there is none. */
export async function readTruncationMark(files: FileSystem, directory: string): Promise<number | undefined> {
  const file = path.join(directory, truncationFileName);
  let text: string;
  try {
    text = await files.readText(file);
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const position = positionIn(text, file);
  if (typeof position !== 'number' || !Number.isSafeInteger(position))
    throw new Error(`Cannot read "${file}": no position in it`);
  return position;
}

function positionIn(text: string, file: string): unknown {
  try {
    return decodeCheckedFile(format, text)['position'];
  } catch (error) {
    if (error instanceof CheckedFileError && error.damaged) throw new LogDamageError(file, 0, error.message);
    throw error;
  }
}

export async function clearTruncationMark(files: FileSystem, directory: string): Promise<void> {
  await removeDurably(files, path.join(directory, truncationFileName));
}

/** The segment that `position` lies in. A position between two segments belongs to the end of the former. */
export function segmentAt<T extends { readonly startPosition: number }>(
  segments: readonly T[],
  position: number,
): T | undefined {
  return segments.findLast((segment) => segment.startPosition < position);
}

/** Leaves nothing at or after `position`, durably. `segments` are in order. */
export async function removeFromPosition(
  files: FileSystem,
  segments: readonly CuttableSegment[],
  position: number,
): Promise<void> {
  const target = segmentAt(segments, position);
  if (target === undefined) throw new Error(`Cannot truncate a log at position ${position}: it begins later`);
  for (const segment of segments.toReversed()) {
    if (segment === target) break;
    await removeDurably(files, segment.file);
  }
  const from = position - target.startPosition;
  if (from < target.end) await fillZeros(files, target.file, { from, to: target.end });
}
