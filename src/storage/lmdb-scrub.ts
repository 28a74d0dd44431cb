// Verifies the rows of an LMDB tree slice by slice, table after table in the order of the keys: what each row says, and
// that a lookup of its key finds it. A slice holds no read
// transaction when it returns, so that pages are not kept from being reused; what is written meanwhile is met or not.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { type LmdbTables, readRow, type Table } from './lmdb-tables.js';
import { verify } from './tree-rows.js';
import type { ScrubPosition, ScrubSlice } from './tree-store-opener.js';

const tableNames = ['heads', 'versions', 'records', 'sessions', 'meta'] as const;
/** One slice ends behind so many rows or bytes: about a millisecond on the thread that writes. */
const sliceRowsMax = 500;
const sliceBytesMax = 256 * 1024;
/** Shorter than any key. */
const beforeAll = Buffer.from([0]);
const afterSuffix = Buffer.from([0]);

/** Throws CORRUPT at the first row that is not what was written. */
export function scrubTables(tables: LmdbTables, from: ScrubPosition | null): ScrubSlice {
  const position = from ?? { table: 0, after: null };
  const name = tableNames[position.table];
  if (name === undefined) return { next: null, rows: 0, bytes: 0 };
  // Earlier reads of this turn may have left an older transaction.
  tables.root.resetReadTxn();
  const slice = scrubTable(tables[name], name, position);
  tables.root.resetReadTxn();
  return slice;
}

function scrubTable(table: Table, name: string, { table: index, after }: ScrubPosition): ScrubSlice {
  let rows = 0;
  let bytes = 0;
  let last: Bytes | null = null;
  // The least key behind the last one.
  const start = after === null ? beforeAll : Buffer.concat([after, afterSuffix]);
  for (const { key, value } of table.getRange({ start })) {
    verify(name, key, value);
    // A row can be whole and yet not be there for lookups: they go by the keys in LMDB's inner pages, which nothing covers.
    if (readRow(table, key) === undefined) throw unreachable(name, key);
    rows += 1;
    bytes += key.length + value.length;
    last = key;
    if (rows >= sliceRowsMax || bytes >= sliceBytesMax) break;
  }
  const ended = rows < sliceRowsMax && bytes < sliceBytesMax;
  if (!ended) return { next: { table: index, after: last }, rows, bytes };
  const next = index + 1 < tableNames.length ? { table: index + 1, after: null } : null;
  return { next, rows, bytes };
}

function unreachable(table: string, key: Bytes): StoreError {
  const shown = JSON.stringify(Buffer.from(key).toString('latin1'));
  return new StoreError('CORRUPT', `Cannot read row ${shown} of table "${table}": it is there, but a lookup misses it`);
}
