// Damages what a simulated disk holds, where a node is able to notice: below a mark that says how far its log is durable,
// or in its manifest. What nothing on the disk speaks of yet cannot be told from a torn tail, and is left alone.

import type { SeededRandom } from '../shared/random.js';
import { decodeRecordHeader, recordBytes, recordHeaderBytes } from '../storage/log-record.js';
import { decodeSegmentHeader, segmentHeaderBytes, sequenceOfFileName } from '../storage/log-segment.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { FileInode } from './simulated-inodes.js';

/** Bytes in a file every one of which is covered by a checksum. */
interface Checked {
  readonly file: FileInode;
  readonly from: number;
  readonly bytes: number;
  /** Where the log would seem to end if these were wrong. */
  readonly position: number;
  /** Position up to which they say that the log is durable. */
  readonly durable: number;
}

/** Flips one bit of the log in this directory; false when it holds nothing that may be damaged. */
export function rotLog(disk: SimulatedDisk, directory: string, random: SeededRandom): boolean {
  const all = checkedPieces(disk, directory);
  const provable: Checked[] = [];
  let known = 0;
  for (const [index, piece] of [...all.entries()].reverse()) {
    // A log that has lost its first header is none.
    if (known > piece.position || index === 0) provable.push(piece);
    known = Math.max(known, piece.durable);
  }
  const piece = provable[random.below(Math.max(1, provable.length))];
  if (piece === undefined) return false;
  piece.file.rot(piece.from + random.below(piece.bytes), random.below(8));
  return true;
}

/** Flips one bit of this file; false when it is not there. */
export function rotFile(disk: SimulatedDisk, path: string, random: SeededRandom): boolean {
  const file = disk.find(path);
  if (file?.type !== 'file' || file.size === 0) return false;
  file.rot(random.below(file.size), random.below(8));
  return true;
}

/** Headers and records of a log in order. */
function checkedPieces(disk: SimulatedDisk, directory: string): Checked[] {
  const entries = disk.find(directory);
  if (entries?.type !== 'directory') return [];
  const files = [...entries.entries]
    .flatMap(([name, inode]) => {
      const sequence = sequenceOfFileName(name);
      return sequence === undefined || inode.type !== 'file' ? [] : [{ sequence, inode }];
    })
    .sort((a, b) => a.sequence - b.sequence);
  return files.flatMap(({ inode }) => piecesOf(inode));
}

function piecesOf(file: FileInode): Checked[] {
  const bytes = Buffer.alloc(file.size);
  file.read(bytes, 0, 0);
  const decoded = decodeSegmentHeader(bytes);
  if (decoded.type !== 'valid') return [];
  const { startPosition, salt } = decoded.header;
  const pieces: Checked[] = [
    { file, from: 0, bytes: segmentHeaderBytes, position: startPosition, durable: startPosition },
  ];
  for (let at = segmentHeaderBytes; at + recordHeaderBytes <= bytes.length; ) {
    const header = decodeRecordHeader(bytes.subarray(at, at + recordHeaderBytes), salt);
    if (header === null || header.position !== startPosition + at) break;
    const { position, bodyBytes, durablePosition: durable } = header;
    pieces.push({ file, from: at, bytes: recordHeaderBytes + bodyBytes, position, durable });
    at += recordBytes(bodyBytes);
  }
  return pieces;
}
