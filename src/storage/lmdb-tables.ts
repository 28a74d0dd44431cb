// Opens the LMDB environment of one tree and its tables. The main thread reads through it, the writer thread writes;
// both open the same file in one process and LMDB shares the environment between them. Knows nothing of rows' meaning.

import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { type Bytes, copyPart } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { StoreUsage } from '../tree/store.js';
import { LookupKeys } from './tree-rows.js';

/** Rows are given out in plain arrays of their own memory. */
export type Table = Database<Bytes, Bytes>;

export interface LmdbTables {
  readonly root: RootDatabase<Bytes, Bytes>;
  /** space, key -> where the versions of a user's key are, and its newest one without the value. Small rows. */
  readonly heads: Table;
  /** revision, space, key -> one version of a user's key. Grows at its end; compaction takes out what was replaced. */
  readonly versions: Table;
  /** space, key -> record, of the spaces without a past. */
  readonly records: Table;
  /** client id -> session. */
  readonly sessions: Table;
  /** Format version and TreeMeta; how far compaction has come. */
  readonly meta: Table;
  /** For point reads. */
  readonly lookupKeys: LookupKeys;
}

export const dataFileName = 'tree.mdb';

/** Address space, not memory or disk: the file grows as it is written, so that a full map never happens. */
const mapBytesWanted = [2 ** 40, 2 ** 37, 2 ** 35] as const;

/** `existing`: the file must be there; LMDB would take a missing or an empty one for a new one. */
export function openTables(directory: string, { existing }: { readonly existing: boolean }): LmdbTables {
  const file = join(directory, dataFileName);
  const found = existsSync(file) && statSync(file).size > 0;
  if (existing && !found)
    throw new StoreError('CORRUPT', `Cannot open tree "${directory}": "${file}" is missing or empty`);
  if (found) requireMetaPages(file);
  const root = openRoot(file);
  if (found) requireWholeFile(root, file);
  const table = (name: string): Table =>
    Object.assign(root.openDB<Bytes, Bytes>({ name, ...plainBytes }), ownBeginning);
  return {
    root,
    heads: table('heads'),
    versions: table('versions'),
    records: table('records'),
    sessions: table('sessions'),
    meta: table('meta'),
    lookupKeys: new LookupKeys(),
  };
}

/** Where LMDB's two descriptions of itself, in its first two pages, have their magic number and the size of a page. */
const magicOffset = 24;
const magic = 0xbeefc0de;
const pageSizeOffset = 48;

/** LMDB's binding ends the process without a word where the environment cannot be opened for what these pages say. */
function requireMetaPages(file: string): void {
  const descriptor = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(pageSizeOffset + 4);
    const readsMagic = (at: number): boolean =>
      readSync(descriptor, bytes, 0, bytes.length, at) === bytes.length && bytes.readUInt32LE(magicOffset) === magic;
    if (readsMagic(0) && readsMagic(bytes.readUInt32LE(pageSizeOffset))) return;
  } finally {
    closeSync(descriptor);
  }
  throw new StoreError('CORRUPT', `Cannot open tree "${file}": its first pages are not those of a tree`);
}

/** Touching a page that lies behind the end of the file would end the process without a word. */
function requireWholeFile(root: RootDatabase<Bytes, Bytes>, file: string): void {
  const { lastPageNumber, pageSize } = root.getStats() as {
    readonly lastPageNumber: number;
    readonly pageSize: number;
  };
  const { size } = statSync(file);
  const expected = (lastPageNumber + 1) * pageSize;
  if (size >= expected) return;
  void root.close();
  throw new StoreError('CORRUPT', `Cannot open tree "${file}": it has ${size} bytes, expected at least ${expected}`);
}

/** LMDB's own count of the pages of one table. */
interface PageCounts {
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

interface EnvironmentCounts extends PageCounts {
  readonly pageSize: number;
  readonly entryCount: number;
  readonly lastPageNumber: number;
  /** The list of the tables, and that of the pages that may be written to again. */
  readonly root: PageCounts;
  readonly free: PageCounts;
}

function pagesOf({ treeBranchPageCount, treeLeafPageCount, overflowPages }: PageCounts): number {
  return treeBranchPageCount + treeLeafPageCount + overflowPages;
}

/** LMDB describes itself in these pages. */
const metaPages = 2;

/** Counts that LMDB keeps; nothing is walked. */
export function tableUsage({ heads, versions, records, sessions, meta }: LmdbTables): StoreUsage {
  const counts = heads.getStats() as EnvironmentCounts;
  let pages = metaPages + pagesOf(counts) + pagesOf(counts.root) + pagesOf(counts.free);
  for (const table of [versions, records, sessions, meta]) pages += pagesOf(table.getStats() as PageCounts);
  const { pageSize, lastPageNumber, entryCount } = counts;
  return { usedBytes: pages * pageSize, fileBytes: (lastPageNumber + 1) * pageSize, keys: entryCount };
}

/** What LMDB's errors say about its file: MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_INVALID. */
const damageCodes: ReadonlySet<string> = new Set(['-30797', '-30796', '-30793']);

export function isLmdbDamage(code: unknown): boolean {
  return damageCodes.has(String(code));
}

/**
 * How LMDB's binding is to hand out keys and values, whose memory it uses again for the next row: as plain arrays. Making
 * a Buffer of each costs as much as the rest of reading it.
 */
const plainBytes = {
  encoding: 'binary',
  encoder: {
    encode: (value: Bytes): Bytes => value,
    decode: (row: Uint8Array): Bytes => copyPart(row, 0, row.length),
  },
  keyEncoder: {
    writeKey(key: Bytes, target: Uint8Array, start: number): number {
      target.set(key, start);
      return start + key.length;
    },
    readKey: copyPart,
  },
  cache: false,
} as const;

/** Stands before every key. With an encoder of keys the binding would begin elsewhere (its types do not know this). */
const ownBeginning = { defaultBeginningKey: Uint8Array.of(0) } as const;

/** A commit returns when it is on disk, meta page and all. (lmdb's types do not know safeRestore.) */
const durable: { readonly overlappingSync: boolean } = Object.freeze({ overlappingSync: false, safeRestore: true });

function openRoot(path: string): RootDatabase<Bytes, Bytes> {
  let last: unknown;
  for (const mapSize of mapBytesWanted) {
    try {
      return open<Bytes, Bytes>({
        path,
        ...plainBytes,
        mapSize,
        maxDbs: 8,
        noSubdir: true,
        noMemInit: true,
        ...durable,
      });
    } catch (error) {
      last = error;
      // Only a limit of the address space is worth trying again with less.
      if (!(error instanceof Error && /memory/i.test(error.message))) throw error;
    }
  }
  throw last;
}

/** A read transaction that lasts over several turns of the event loop. */
export type ReadTransaction = ReturnType<LmdbTables['root']['useReadTransaction']>;

/** What lmdb does and its types do not say. */
interface FastTable {
  readonly lastSize: number;
  getBinaryFast(key: Bytes, options?: { readonly transaction: ReadTransaction }): Uint8Array | undefined;
  putSync(key: Bytes, value: Bytes, options: { readonly append: true }): boolean;
}

function fast(table: Table): FastTable {
  return table as unknown as FastTable;
}

/** Bytes of a point read, valid until the next read: LMDB's buffer has room beyond the value. Not to be written to. */
export function readRow(table: Table, key: Bytes, transaction?: ReadTransaction): Bytes | undefined {
  const reads = fast(table);
  const bytes = transaction === undefined ? reads.getBinaryFast(key) : reads.getBinaryFast(key, { transaction });
  return bytes === undefined ? undefined : new Uint8Array(bytes.buffer, bytes.byteOffset, reads.lastSize);
}

/** Bytes of a point read in memory of their own. */
export function copyRow(table: Table, key: Bytes, transaction?: ReadTransaction): Bytes | undefined {
  const reads = fast(table);
  const bytes = transaction === undefined ? reads.getBinaryFast(key) : reads.getBinaryFast(key, { transaction });
  return bytes === undefined ? undefined : copyPart(bytes, 0, reads.lastSize);
}

const append = { append: true } as const;

/** Puts a row behind all others, without a search, so that pages become full. Inside a write transaction. */
export function appendRow(table: Table, key: Bytes, value: Bytes): void {
  if (!fast(table).putSync(key, value, append)) {
    throw new Error('Cannot append a row: it does not belong behind the last one');
  }
}
