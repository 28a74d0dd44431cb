// Batches that are in this node's log and not yet applied to its tree, oldest first. The bodies stay here from append
// to delivery, so that applying never reads the log back.

import { assert } from '../shared/assert.js';
import { Fifo } from '../shared/fifo.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { ReplicatedTree } from '../tree/replicated-tree.js';
import { decodeBatch } from '../wire/batch-codec.js';
import type { Batch } from '../zab/messages.js';

interface Pending {
  readonly batch: Batch;
  /** The tree holds its entries as staged: this node proposed it and has led ever since. */
  staged: boolean;
}

export class DeliveryQueue {
  private pending = new Fifo<Pending>();
  /** Bytes of bodies that wait. */
  bytes = 0;

  get length(): number {
    return this.pending.length;
  }

  append(batch: Batch, staged: boolean): void {
    this.pending.push({ batch, staged });
    this.bytes += batch.body.length;
  }

  /** The log was truncated: what follows `to` will never be delivered. */
  truncateAfter(to: Zxid): void {
    for (
      let last = this.pending.peekLast();
      last !== undefined && last.batch.last > to;
      last = this.pending.peekLast()
    ) {
      assert(last.batch.first > to, `Cannot truncate to ${formatZxid(to)}: not the end of a batch`);
      this.pending.pop();
      this.bytes -= last.batch.body.length;
    }
  }

  /** Leadership is lost: the tree has dropped its staged entries, they come back from the bodies if they commit. */
  unstage(): void {
    for (const pending of this.pending) pending.staged = false;
  }

  clear(): void {
    this.pending.clear();
    this.bytes = 0;
  }

  /** Applies every batch up to `through`, which must be the end of a batch that is here. */
  deliver(through: Zxid, tree: ReplicatedTree): void {
    for (
      let first = this.pending.peek();
      first !== undefined && first.batch.last <= through;
      first = this.pending.peek()
    ) {
      const { batch, staged } = first;
      if (staged) tree.commitStaged(batch.last);
      else tree.apply(decodeBatch(batch.body, batch.first));
      this.pending.shift();
      this.bytes -= batch.body.length;
    }
    assert(
      tree.appliedZxid >= through,
      `Cannot deliver through ${formatZxid(through)}: the tree has applied ${formatZxid(tree.appliedZxid)}`,
    );
  }
}
