// The leader's side of a snapshot transfer: waits for the follower's request on the bulk channel, flushes the tree, then
// sends the store's image in chunks as the follower grants credit. One transfer at a time holds an image.

import type { EnsembleId, Zxid } from '../shared/ids.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import type { StoreImage } from '../tree/store.js';
import type { BulkMessage } from '../wire/bulk-messages.js';

export interface SnapshotSenderHost {
  readonly tree: ReplicatedTree;
  ensembleId(): EnsembleId;
  openImage(): StoreImage;
  sendBulk(bulkLink: number, message: BulkMessage): void;
  broken(bulkLink: number, reason: string): void;
}

interface Transfer {
  readonly bulkLink: number;
  readonly done: (installed: Zxid) => void;
  image: StoreImage | null;
  credit: number;
  ended: boolean;
}

export class SnapshotSender {
  private readonly host: SnapshotSenderHost;
  private readonly chunkBytes: number;
  private current: Transfer | null = null;
  private readonly waiting: Transfer[] = [];

  constructor(host: SnapshotSenderHost, chunkBytes: number) {
    this.host = host;
    this.chunkBytes = chunkBytes;
  }

  /** The follower behind `bulkLink` has asked for the snapshot that it was told of. */
  start(bulkLink: number, done: (installed: Zxid) => void): void {
    this.waiting.push({ bulkLink, done, image: null, credit: 0, ended: false });
    this.next();
  }

  credit(bulkLink: number, chunks: number): void {
    const transfer = this.current;
    if (transfer === null || transfer.bulkLink !== bulkLink) return;
    transfer.credit += chunks;
    this.pump(transfer);
  }

  installed(bulkLink: number, zxid: Zxid): void {
    const transfer = this.current;
    if (transfer === null || transfer.bulkLink !== bulkLink || !transfer.ended) {
      this.host.broken(bulkLink, 'snapshotInstalled without a snapshot');
      return;
    }
    this.current = null;
    transfer.done(zxid);
    this.next();
  }

  /** The connection is gone, or the leader gives up: whatever was under way on it ends. */
  cancel(bulkLink: number): void {
    const at = this.waiting.findIndex((transfer) => transfer.bulkLink === bulkLink);
    if (at >= 0) this.waiting.splice(at, 1);
    const transfer = this.current;
    if (transfer === null || transfer.bulkLink !== bulkLink) return;
    this.closeImage(transfer);
    this.current = null;
    this.next();
  }

  private next(): void {
    if (this.current !== null) return;
    const transfer = this.waiting.shift();
    if (transfer === undefined) return;
    this.current = transfer;
    // The image must hold whatever the follower knows committed, so everything applied goes to the store first.
    this.host.tree.flush({
      force: true,
      done: (error) => {
        if (this.current !== transfer) return;
        if (error !== null) {
          this.fail(transfer, `cannot flush the tree for a snapshot: ${error.message}`);
          return;
        }
        transfer.image = this.host.openImage();
        this.host.sendBulk(transfer.bulkLink, {
          type: 'snapshotBegin',
          zxid: transfer.image.meta.appliedZxid,
          ensembleId: this.host.ensembleId(),
        });
        this.pump(transfer);
      },
    });
  }

  private pump(transfer: Transfer): void {
    while (transfer.image !== null && transfer.credit > 0) {
      let bytes: Uint8Array | null;
      try {
        bytes = transfer.image.next(this.chunkBytes);
      } catch (error) {
        this.fail(transfer, `cannot read the tree for a snapshot: ${String(error)}`);
        return;
      }
      if (bytes === null) {
        this.closeImage(transfer);
        transfer.ended = true;
        this.host.sendBulk(transfer.bulkLink, { type: 'snapshotEnd' });
        return;
      }
      transfer.credit--;
      this.host.sendBulk(transfer.bulkLink, { type: 'snapshotChunk', bytes });
    }
  }

  private fail(transfer: Transfer, reason: string): void {
    this.closeImage(transfer);
    this.current = null;
    this.host.broken(transfer.bulkLink, reason);
    this.next();
  }

  private closeImage(transfer: Transfer): void {
    transfer.image?.close();
    transfer.image = null;
  }
}
