// Opens the LMDB environment of one tree and its tables. The main thread reads through it, the writer thread writes;
// both open the same file in one process and LMDB shares the environment between them. Knows nothing of rows' meaning.

import { join } from 'node:path';
import { type Database, open, type RootDatabase } from 'lmdb';
import { LookupKey } from './tree-rows.js';

export type Table = Database<Buffer, Buffer>;

export interface LmdbTables {
  readonly root: RootDatabase<Buffer, Buffer>;
  /** space, key -> newest record. */
  readonly current: Table;
  /** revision, key -> what the change at this revision replaced. Append-only, cut at the front by compaction. */
  readonly undo: Table;
  /** escaped key, revision -> nothing: which undo rows a key has. */
  readonly index: Table;
  /** client id -> session. */
  readonly sessions: Table;
  /** One row: format version and TreeMeta. */
  readonly meta: Table;
  /** For point reads of `current`. */
  readonly lookupKey: LookupKey;
}

export const dataFileName = 'tree.mdb';

/** Address space, not memory or disk: the file grows as it is written, so that a full map never happens. */
const mapBytesWanted = [2 ** 40, 2 ** 37, 2 ** 35] as const;

export function openTables(directory: string): LmdbTables {
  const root = openRoot(join(directory, dataFileName));
  const table = (name: string): Table => root.openDB<Buffer, Buffer>({ name, ...binary });
  return {
    root,
    current: table('current'),
    undo: table('undo'),
    index: table('index'),
    sessions: table('sessions'),
    meta: table('meta'),
    lookupKey: new LookupKey(),
  };
}

const binary = { encoding: 'binary', keyEncoding: 'binary', cache: false } as const;

/** A commit returns when it is on disk, meta page and all. (lmdb's types do not know safeRestore.) */
const durable: { readonly overlappingSync: boolean } = Object.freeze({ overlappingSync: false, safeRestore: true });

function openRoot(path: string): RootDatabase<Buffer, Buffer> {
  let last: unknown;
  for (const mapSize of mapBytesWanted) {
    try {
      return open<Buffer, Buffer>({
        path,
        ...binary,
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

/** Bytes of a point read, valid until the next read: LMDB's buffer has room beyond the value. */
export function readRow(table: Table, key: Buffer): Buffer | undefined {
  const bytes = table.getBinaryFast(key);
  return bytes?.subarray(0, (table as Table & { readonly lastSize: number }).lastSize);
}

const slice = Uint8Array.prototype.slice;

/** Bytes of a point read in memory of their own. */
export function copyRow(table: Table, key: Buffer): Uint8Array | undefined {
  const bytes = table.getBinaryFast(key);
  if (bytes === undefined) return undefined;
  return slice.call(bytes, 0, (table as Table & { readonly lastSize: number }).lastSize);
}
