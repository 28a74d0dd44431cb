// Hashes the current records of an LMDB tree in slices over one read transaction, verifying each on the way. Closes the
// transaction when it is done; whoever gives up earlier must call close.

import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, StoreDigest, TreeMeta } from '../tree/store.js';
import { lookUpMeta } from './lmdb-meta.js';
import type { LmdbTables, ReadTransaction } from './lmdb-tables.js';
import { currentRecords } from './lmdb-tree-reads.js';
import { TreeDigest } from './tree-digest.js';

/** Records hashed in one slice: a few milliseconds. */
const sliceRecords = 2000;

export class LmdbDigest {
  private readonly meta: TreeMeta;
  private readonly hash = new TreeDigest();
  private readonly transaction: ReadTransaction;
  private readonly records: Generator<{ readonly space: SpaceId; readonly record: KeyRecord }, undefined, undefined>;
  private closed = false;

  constructor(directory: string, tables: LmdbTables) {
    // Earlier reads of this turn may have left an older transaction.
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    this.meta = lookUpMeta(directory, tables, this.transaction);
    this.records = currentRecords(tables, this.transaction);
  }

  /** Goes on; the result when it is done. */
  slice(): StoreDigest | undefined {
    for (let left = sliceRecords; left > 0; left--) {
      const next = this.records.next();
      if (next.done === true) return this.finish();
      this.hash.add(next.value.space, next.value.record);
    }
    return undefined;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.records.return(undefined);
    this.transaction.done();
  }

  private finish(): StoreDigest {
    this.close();
    return { zxid: this.meta.appliedZxid, revision: this.meta.revision, digest: this.hash.finish() };
  }
}
