// Logs: consecutive entries, one value per zxid ever and anywhere, and nothing committed is removed, neither by
// truncation nor by a snapshot that took the log's place.

import { epochOf, formatZxid, type Zxid } from '../../shared/ids.js';
import type { Batch } from '../../zab/messages.js';
import { emptyHistoryHash, extendHistory } from '../log-mirror.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';
import { follows } from './primary-order.js';

export class LogShape implements EnsembleChecker {
  private readonly view: EnsembleView;
  /** Hash of the batch that holds this zxid. */
  private readonly values = new Map<number, number>();

  constructor(view: EnsembleView) {
    this.view = view;
  }

  appending(node: NodeView, batch: Batch): void {
    const { last, base } = node.log;
    // A tree is cut where it was flushed, so the first batch behind a base may begin before it.
    const overlapsBase = last === base && batch.first <= base && batch.last > base;
    const inOrder = overlapsBase || follows(batch.first, last);
    if (!inOrder || batch.last < batch.first || epochOf(batch.first) !== epochOf(batch.last)) {
      this.view.violate(
        'log contiguous',
        `node ${node.index} appends ${formatZxid(batch.first)}..${formatZxid(batch.last)} after ${formatZxid(last)}`,
      );
    }
    const value = extendHistory(emptyHistoryHash, batch);
    for (let zxid: number = batch.first; zxid <= batch.last; zxid++) {
      const known = this.values.get(zxid);
      if (known === undefined) this.values.set(zxid, value);
      else if (known !== value) {
        this.view.violate(
          'one value per zxid',
          `node ${node.index} appends another value for ${formatZxid(zxid as Zxid)}`,
        );
        return;
      }
    }
  }

  truncating(node: NodeView, to: Zxid): void {
    this.keepsCommitted(node, to, 'truncates its log to');
  }

  installing(node: NodeView, zxid: Zxid): void {
    if (!this.view.ledger.has(zxid)) {
      this.view.violate(
        'a snapshot holds committed state',
        `node ${node.index} installs a snapshot at ${formatZxid(zxid)}, which is not committed`,
      );
    }
    this.keepsCommitted(node, zxid, 'replaces its log by a snapshot at');
  }

  private keepsCommitted(node: NodeView, to: Zxid, action: string): void {
    const { ledger } = this.view;
    const { log } = node;
    const shared = log.lastAtOrBelow((ledger.last < log.durable ? ledger.last : log.durable) as Zxid);
    const own = log.hashAt(shared);
    if (shared > to && own !== undefined && own === ledger.hashAt(shared)) {
      this.view.violate(
        'committed is never truncated',
        `node ${node.index} ${action} ${formatZxid(to)} while it holds ${formatZxid(shared)}, committed`,
      );
    }
  }
}
