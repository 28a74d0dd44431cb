// Entry point of the process that reads a whole tree for lmdb-probe.ts. May be ended by a signal at any time: that is an
// answer. Changes nothing: its only write transaction, which reads the list of free pages, is aborted.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ABORT } from 'lmdb';
import { decodeMetaRow, metaKey } from './lmdb-meta.js';
import { probeDamageExit } from './lmdb-probe-exit.js';
import { scrubTables } from './lmdb-scrub.js';
import { dataFileName, isLmdbDamage, openTables } from './lmdb-tables.js';
import type { ScrubPosition } from './tree-store-opener.js';

/** Rows written and taken back, enough to ask for free pages. */
const trialRows = 200;

function probe(directory: string): void {
  if (!existsSync(join(directory, dataFileName))) return;
  const tables = openTables(directory, { existing: false });
  // A tree without one is new, or is refused by whoever opens it and knows better.
  const meta = tables.meta.getBinary(metaKey);
  if (meta !== undefined) decodeMetaRow(directory, meta);
  let position: ScrubPosition | null = null;
  do position = scrubTables(tables, position).next;
  while (position !== null);
  tables.root.transactionSync(() => {
    for (let i = 0; i < trialRows; i++) void tables.records.put(Buffer.from(`\x03probe-${i}`), Buffer.alloc(500));
    return ABORT;
  });
}

const directory = process.argv.at(-1) ?? '';
try {
  probe(directory);
  process.exit(0);
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message: string };
  process.stdout.write(`${message}\n`);
  process.exit(code === 'CORRUPT' || isLmdbDamage(code) ? probeDamageExit : 1);
}
