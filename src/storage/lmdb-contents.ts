// What an LMDB tree keeps at one moment, over one read transaction, read as often as wanted. Verifies every row on the way.
// The transaction pins pages: whoever opens one closes it soon, and no row is read after that.

import { StoreError } from '../shared/errors.js';
import type { SpaceId } from '../tree/delta.js';
import type { KeyRecord, RetainedVersion, StoreContents, TreeMeta } from '../tree/store.js';
import { lookUpMeta } from './lmdb-meta.js';
import type { LmdbTables, ReadTransaction } from './lmdb-tables.js';
import { recordsOf, retainedVersions } from './lmdb-tree-reads.js';

type Judged = (error: unknown) => unknown;

export class LmdbContents implements StoreContents {
  readonly meta: TreeMeta;
  private readonly tables: LmdbTables;
  private readonly transaction: ReadTransaction;
  private readonly judged: Judged;
  private readonly onClose: () => void;
  /** Iterations under way: each has a cursor that must be gone before the transaction is. */
  private readonly reading = new Set<Generator<unknown, undefined, undefined>>();
  private closed = false;

  /** `judged`: gets every error of a read and gives the one to throw. */
  constructor(
    directory: string,
    tables: LmdbTables,
    { judged, onClose }: { readonly judged: Judged; readonly onClose: (contents: LmdbContents) => void },
  ) {
    this.tables = tables;
    this.judged = judged;
    this.onClose = () => onClose(this);
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    this.meta = lookUpMeta(directory, tables, this.transaction);
  }

  versions(): Iterable<RetainedVersion | null> {
    return this.read(() => retainedVersions(this.tables, this.meta.compactedRevision, this.transaction));
  }

  records(space: SpaceId): Iterable<KeyRecord> {
    return this.read(() => recordsOf(this.tables, space, this.transaction));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const rows of this.reading) rows.return(undefined);
    this.reading.clear();
    this.transaction.done();
    this.onClose();
  }

  private *read<Row>(begin: () => Generator<Row, undefined, undefined>): Generator<Row, undefined, undefined> {
    this.requireOpen();
    const rows = begin();
    this.reading.add(rows);
    try {
      for (;;) {
        const next = this.nextOf(rows);
        if (next.done === true) return undefined;
        yield next.value;
        this.requireOpen();
      }
    } finally {
      this.reading.delete(rows);
      rows.return(undefined);
    }
  }

  private nextOf<Row>(rows: Generator<Row, undefined, undefined>): IteratorResult<Row, undefined> {
    try {
      return rows.next();
    } catch (error) {
      throw this.judged(error);
    }
  }

  private requireOpen(): void {
    if (this.closed) throw new StoreError('UNAVAILABLE', 'Cannot read what the tree held: it was let go');
  }
}
