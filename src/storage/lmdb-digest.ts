// Hashes the current records of an LMDB tree in slices over one read transaction, verifying each on the way. Closes the
// transaction when it is done; whoever gives up earlier must call close.

import type { SpaceId } from '../tree/delta.js';
import type { StoreDigest, TreeMeta } from '../tree/store.js';
import { lookUpMeta } from './lmdb-meta.js';
import type { LmdbTables } from './lmdb-tables.js';
import { TreeDigest } from './tree-digest.js';
import { decodeStoredRecord, localSpace, verify } from './tree-rows.js';

/** Records hashed in one slice: a few milliseconds. */
const sliceRecords = 2000;

export class LmdbDigest {
  private readonly meta: TreeMeta;
  private readonly hash = new TreeDigest();
  private readonly transaction: ReturnType<LmdbTables['root']['useReadTransaction']>;
  private readonly rows: Iterator<{ key: Buffer; value: Buffer }>;
  private closed = false;

  constructor(directory: string, tables: LmdbTables) {
    // Earlier reads of this turn may have left an older transaction.
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    const { transaction } = this;
    this.meta = lookUpMeta(directory, tables, transaction);
    const range = { start: Buffer.from([0]), end: Buffer.from([localSpace]), transaction };
    this.rows = tables.current.getRange(range)[Symbol.iterator]();
  }

  /** Goes on; the result when it is done. */
  slice(): StoreDigest | undefined {
    for (let left = sliceRecords; left > 0; left--) {
      const next = this.rows.next();
      if (next.done === true) return this.finish();
      const { key, value } = next.value;
      verify('current', key, value);
      this.hash.add(key[0] as SpaceId, decodeStoredRecord(key.subarray(1), value, false));
    }
    return undefined;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.rows.return?.();
    this.transaction.done();
  }

  private finish(): StoreDigest {
    this.close();
    return { zxid: this.meta.appliedZxid, revision: this.meta.revision, digest: this.hash.finish() };
  }
}
