// Hashes the retained versions of an LMDB tree up to a revision, in slices over one read transaction, verifying each on
// the way. Closes the transaction when it is done; whoever gives up earlier must call close.

import type { Revision } from '../shared/ids.js';
import type { RetainedVersion, TreeMeta, VersionsHash } from '../tree/store.js';
import { lookUpMeta } from './lmdb-meta.js';
import type { LmdbTables, ReadTransaction } from './lmdb-tables.js';
import { retainedVersions } from './lmdb-tree-reads.js';
import { RunningVersionsHash } from './versions-hash.js';

/** One slice ends behind so many versions or bytes: a few milliseconds. */
const sliceVersions = 2000;
const sliceBytes = 1024 * 1024;

export class LmdbVersionsHash {
  private readonly meta: TreeMeta;
  private readonly through: Revision;
  private readonly hash = new RunningVersionsHash();
  private readonly transaction: ReadTransaction;
  private readonly versions: Generator<RetainedVersion | null, undefined, undefined>;
  private closed = false;

  constructor(directory: string, tables: LmdbTables, through: Revision) {
    // Earlier reads of this turn may have left an older transaction.
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    this.meta = lookUpMeta(directory, tables, this.transaction);
    this.through = Math.min(through, this.meta.revision) as Revision;
    this.versions = retainedVersions(tables, this.meta.compactedRevision, this.transaction);
  }

  /** Goes on; the result when it is done. */
  slice(): VersionsHash | undefined {
    const bytesEnd = this.hash.bytes + sliceBytes;
    for (let left = sliceVersions; left > 0 && this.hash.bytes < bytesEnd; left--) {
      const next = this.versions.next();
      if (next.done === true) return this.finish();
      // A stretch of versions that are left out.
      if (next.value === null) return undefined;
      if (next.value.modRevision > this.through) return this.finish();
      this.hash.add(next.value);
    }
    return undefined;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.versions.return(undefined);
    this.transaction.done();
  }

  private finish(): VersionsHash {
    this.close();
    const { compactedRevision } = this.meta;
    return { revision: this.through, compactedRevision, hash: this.hash.finish() };
  }
}
