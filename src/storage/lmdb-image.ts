// Reads an image of an LMDB tree, chunk by chunk, over one read transaction: header, retained versions, records, sessions.
// Verifies every row on the way. The transaction pins pages: whoever opens an image closes it soon.

import type { Bytes } from '../shared/bytes.js';
import type { StoreImage, TreeMeta } from '../tree/store.js';
import { lookUpMeta, readSessions } from './lmdb-meta.js';
import type { LmdbTables, ReadTransaction } from './lmdb-tables.js';
import { otherRecords, retainedVersions } from './lmdb-tree-reads.js';
import { ImageEncoder, type ImageItem } from './tree-image.js';

type Item = Exclude<ImageItem, { type: 'end' }>;

export class LmdbImage implements StoreImage {
  readonly meta: TreeMeta;
  private readonly transaction: ReadTransaction;
  private readonly items: Generator<Item | null, undefined, undefined>;
  private encoder: ImageEncoder | null = null;
  private state: 'reading' | 'ended' | 'closed' = 'reading';

  private readonly judged: (error: unknown) => unknown;

  /** `judged`: gets every error of a read and gives the one to throw. */
  constructor(directory: string, tables: LmdbTables, judged: (error: unknown) => unknown) {
    this.judged = judged;
    tables.root.resetReadTxn();
    this.transaction = tables.root.useReadTransaction();
    this.meta = lookUpMeta(directory, tables, this.transaction);
    this.items = imageItems(tables, this.meta, this.transaction);
  }

  next(bytesMax: number): Bytes | null {
    if (this.state !== 'reading') return null;
    this.encoder ??= new ImageEncoder(bytesMax);
    const encoder = this.encoder;
    while (encoder.length < bytesMax) {
      const next = this.nextItem();
      if (next.done === true) {
        encoder.end();
        this.state = 'ended';
        break;
      }
      // What is left out takes time too: the chunk stays short, or empty.
      if (next.value === null) break;
      encoder.add(next.value);
    }
    return encoder.take();
  }

  private nextItem(): IteratorResult<Item | null, undefined> {
    try {
      return this.items.next();
    } catch (error) {
      throw this.judged(error);
    }
  }

  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.items.return(undefined);
    this.transaction.done();
  }
}

function* imageItems(
  tables: LmdbTables,
  meta: TreeMeta,
  transaction: ReadTransaction,
): Generator<Item | null, undefined, undefined> {
  yield { type: 'header', meta };
  for (const version of retainedVersions(tables, meta.compactedRevision, transaction)) {
    yield version === null ? null : { type: 'version', version };
  }
  for (const { space, record } of otherRecords(tables, transaction)) yield { type: 'record', space, record };
  for (const session of readSessions(tables, transaction)) yield { type: 'session', session };
  return undefined;
}
