// Damages the LMDB file of a tree that nobody has open, where the node can know of it: a row's value, which has a checksum,
// or a whole page, whose kind LMDB looks at. Single bits of a key or of LMDB's own structure are left alone: nothing covers
// them, and a lookup that they lead astray answers "not there" (docs/operations.md).

import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SeededRandom } from '../../src/shared/random.js';
import { dataFileName, type LmdbTables, openTables } from '../../src/storage/lmdb-tables.js';
import type { Damage } from './disk-damage.js';

/** LMDB's two descriptions of itself. */
const metaPages = 2;

/** Null when the tree has no row yet. */
export async function flipInRow(tree: string, random: SeededRandom): Promise<Damage | null> {
  const found = await look(tree, ({ heads, versions }) => {
    const table = random.chance(0.5) ? heads : versions;
    const rows = [...table.getRange({})].map(({ value }) => Buffer.from(value));
    return rows[random.below(Math.max(1, rows.length))];
  });
  if (found === undefined) return null;
  const file = join(tree, dataFileName);
  const at = random.below(found.length);
  const flipped = (found[at] ?? 0) ^ (1 << random.below(8));
  // Pages that are free now may hold copies of the row: which one counts is not known, and the others do not matter.
  const places = placesOf(readFileSync(file), found);
  if (places.length === 0) throw new Error(`Cannot damage a row: its ${found.length} bytes are nowhere in ${file}`);
  for (const place of places) overwrite(file, place + at, Buffer.of(flipped));
  const detail = `${file}, byte ${at} of a row of ${found.length} bytes at ${places.join(', ')}`;
  return { expected: 'met', detail };
}

/** As a disk that forgot a write of one page. */
export async function zeroPage(tree: string, random: SeededRandom): Promise<Damage | null> {
  const { lastPageNumber, pageSize } = await look(
    tree,
    ({ root }) => root.getStats() as { readonly lastPageNumber: number; readonly pageSize: number },
  );
  const file = join(tree, dataFileName);
  const bytes = readFileSync(file);
  const pages: number[] = [];
  for (let page = metaPages; page <= lastPageNumber; page++) {
    if (bytes.subarray(page * pageSize, (page + 1) * pageSize).some((byte) => byte !== 0)) pages.push(page);
  }
  const page = pages[random.below(Math.max(1, pages.length))];
  if (page === undefined) return null;
  overwrite(file, page * pageSize, Buffer.alloc(pageSize));
  return { expected: 'perhaps met', detail: `${file}, page ${page} of ${lastPageNumber}` };
}

async function look<T>(tree: string, at: (tables: LmdbTables) => T): Promise<T> {
  const tables = openTables(tree, { existing: true });
  try {
    return at(tables);
  } finally {
    await tables.root.close();
  }
}

function placesOf(bytes: Buffer, wanted: Buffer): number[] {
  const places: number[] = [];
  for (let at = bytes.indexOf(wanted); at >= 0; at = bytes.indexOf(wanted, at + 1)) places.push(at);
  return places;
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const descriptor = openSync(file, 'r+');
  try {
    writeSync(descriptor, bytes, 0, bytes.length, at);
  } finally {
    closeSync(descriptor);
  }
}
