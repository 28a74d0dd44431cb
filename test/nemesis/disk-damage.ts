// Damages the data directory of a node that does not run. Damage never takes acknowledged bytes away unnoticed: it hits
// what is provably durable, so that the node must refuse, or only what lies behind the durable end.

import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../../src/shared/random.js';
import { recordBytes, recordHeaderBytes, recordMagic, recordMagicOffset } from '../../src/storage/log-record.js';
import { flipInRow, zeroPage } from './tree-damage.js';

export const damageKinds = [
  'flipped bits in the log',
  'a torn record behind the log',
  'flipped bits in the manifest',
  'half a manifest',
  'no manifest',
  'flipped bits in a row of the tree',
  'a page of zeros in the tree',
] as const;
export type DamageKind = (typeof damageKinds)[number];

/**
 * harmless: the node must come up as if nothing had happened. refusal: it must say what is wrong and not start. met: it may
 * start, and must end by itself when it reads what is damaged, at the latest when it verifies its disk. perhaps met: the
 * same, but the place may be one that nobody reads.
 */
export type DamageExpectation = 'harmless' | 'refusal' | 'met' | 'perhaps met';

export interface Damage {
  readonly expected: DamageExpectation;
  readonly detail: string;
}

const segmentHeaderBytes = 64;
const bodyLengthOffset = 8;
/** So many records behind a damaged one prove that it was durable. */
const recordsBehindMin = 20;

interface Segment {
  readonly file: string;
  readonly bytes: Buffer;
  /** Where its records begin. */
  readonly records: readonly number[];
  readonly end: number;
}

/** Null when the directory holds too little for this kind. */
export async function damage(dataDirectory: string, kind: DamageKind, random: SeededRandom): Promise<Damage | null> {
  const manifest = join(dataDirectory, 'manifest');
  switch (kind) {
    case 'flipped bits in the log':
      return flipInLog(dataDirectory, random);
    case 'a torn record behind the log':
      return tearTail(dataDirectory, random);
    case 'flipped bits in the manifest': {
      const bytes = readFileSync(manifest);
      // Behind the checksum's line: in the line itself the case of a digit is free.
      const from = bytes.indexOf('{');
      const at = from + random.below(bytes.length - from);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      writeFileSync(manifest, bytes);
      return { expected: 'refusal', detail: `manifest, byte ${at}` };
    }
    case 'half a manifest': {
      const bytes = Math.floor(readFileSync(manifest).length / 2);
      truncateSync(manifest, bytes);
      return { expected: 'refusal', detail: `manifest cut to ${bytes} bytes` };
    }
    case 'no manifest':
      rmSync(manifest);
      return { expected: 'refusal', detail: 'manifest removed' };
    case 'flipped bits in a row of the tree':
      return flipInRow(treeOf(dataDirectory), random);
    case 'a page of zeros in the tree':
      return zeroPage(treeOf(dataDirectory), random);
  }
}

/** What the node has promised and whether it is counted, as its manifest says. */
export function isCounted(dataDirectory: string): boolean {
  try {
    const text = readFileSync(join(dataDirectory, 'manifest'), 'utf8');
    const content: unknown = JSON.parse(text.slice(text.indexOf('{')));
    if (typeof content !== 'object' || content === null) return false;
    const { ensembleId = null, probation = true } = content as { ensembleId?: unknown; probation?: unknown };
    return ensembleId !== null && probation === false;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

function flipInLog(dataDirectory: string, random: SeededRandom): Damage | null {
  const candidates = segmentsOf(dataDirectory).filter(({ records }) => records.length > recordsBehindMin);
  const segment = candidates[random.below(Math.max(1, candidates.length))];
  if (segment === undefined) return null;
  const from = segment.records[random.below(segment.records.length - recordsBehindMin)] ?? segmentHeaderBytes;
  // Not in the zeros behind the body, which mean nothing.
  const at = from + random.below(recordHeaderBytes + segment.bytes.readUInt32LE(from + bodyLengthOffset));
  segment.bytes[at] = (segment.bytes[at] ?? 0) ^ (1 << random.below(8));
  writeFileSync(segment.file, segment.bytes);
  return { expected: 'refusal', detail: `${segment.file}, byte ${at} of ${segment.end}` };
}

/** Half of a record after the last one, as a crash in the middle of a write leaves it. */
function tearTail(dataDirectory: string, random: SeededRandom): Damage | null {
  const segment = segmentsOf(dataDirectory).at(-1);
  const last = segment?.records.at(-1);
  if (segment === undefined || last === undefined) return null;
  const torn = segment.bytes.subarray(last, last + 1 + random.below(segment.end - last));
  const room = segment.bytes.length - segment.end;
  if (room < torn.length) return null;
  torn.copy(segment.bytes, segment.end);
  writeFileSync(segment.file, segment.bytes);
  return { expected: 'harmless', detail: `${segment.file}, ${torn.length} bytes after ${segment.end}` };
}

/** Directory of the live tree. */
export function treeOf(dataDirectory: string): string {
  return live(dataDirectory, 'tree');
}

function live(dataDirectory: string, what: 'log' | 'tree'): string {
  const manifest = readFileSync(join(dataDirectory, 'manifest'), 'utf8');
  const name = new RegExp(`"${what}":\\s*"([^"]+)"`).exec(manifest)?.[1];
  if (name === undefined) throw new Error(`Cannot find the ${what}: the manifest in ${dataDirectory} names none`);
  return join(dataDirectory, name);
}

/** Segments of the live log that hold records, oldest first. */
function segmentsOf(dataDirectory: string): Segment[] {
  const log = live(dataDirectory, 'log');
  const names = readdirSync(log).filter((name) => name.startsWith('segment-'));
  return names
    .sort()
    .map((name) => readSegment(join(log, name)))
    .filter(({ records }) => records.length > 0);
}

function readSegment(file: string): Segment {
  const bytes = readFileSync(file);
  const records: number[] = [];
  let end = segmentHeaderBytes;
  while (end + bodyLengthOffset + 4 <= bytes.length && bytes.readUInt32LE(end + recordMagicOffset) === recordMagic) {
    records.push(end);
    end += recordBytes(bytes.readUInt32LE(end + bodyLengthOffset));
  }
  return { file, bytes, records, end };
}
