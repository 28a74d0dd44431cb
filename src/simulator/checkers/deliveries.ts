// What nodes apply: all the same history, in order, durable in their own log first and on a quorum's platters. Feeds the
// ledger with whatever is delivered for the first time.

import { formatZxid, type Zxid, zxidZero } from '../../shared/ids.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

export class Deliveries implements EnsembleChecker {
  private readonly view: EnsembleView;

  constructor(view: EnsembleView) {
    this.view = view;
  }

  booted(node: NodeView): void {
    this.agrees(node);
  }

  applied(node: NodeView, previous: Zxid): void {
    const { ledger } = this.view;
    const { applied, log, tree } = node;
    if (applied < previous)
      this.view.violate(
        'applied never goes back',
        `node ${node.index}: ${formatZxid(previous)} → ${formatZxid(applied)}`,
      );
    if (applied > log.durable) {
      this.view.violate(
        'applied is durable here',
        `node ${node.index} applied ${formatZxid(applied)}, its log is ${log.describe()}`,
      );
    }
    if (applied > ledger.last) this.extend(node);
    else this.agrees(node);
    if (tree !== undefined && this.view.violations.length === 0 && tree.revision !== ledger.revisionAt(applied)) {
      this.view.violate(
        'revision follows the history',
        `node ${node.index} at ${formatZxid(applied)}: revision ${tree.revision}, expected ${ledger.revisionAt(applied)}`,
      );
    }
  }

  private extend(node: NodeView): void {
    const { ledger } = this.view;
    const { applied, log } = node;
    const historyHash = log.hashAt(applied);
    if (log.hashAt(ledger.last) !== ledger.lastHash || historyHash === undefined) {
      this.view.violate(
        'committed prefixes are equal',
        `node ${node.index} applied ${formatZxid(applied)} on another history than the one committed up to ${formatZxid(ledger.last)}; its log is ${log.describe()}`,
      );
      return;
    }
    for (const batch of log.between(ledger.last, applied)) {
      ledger.append(batch);
      this.view.committed.set(batch.batch.last, this.view.moment());
    }
    const fault = ledger.leaseFaults[0];
    if (fault !== undefined) this.view.violate('a lease takes its keys with it, and no others', fault);
    const holders = this.view.holders(applied, historyHash);
    if (holders < this.view.quorum) {
      this.view.violate(
        'committed is durable on a quorum',
        `node ${node.index} applied ${formatZxid(applied)}; ${holders} nodes hold it`,
      );
    }
    const repeated = ledger.repeated[0];
    if (repeated !== undefined)
      this.view.violate(
        'a request happens once',
        `request ${repeated} was committed twice, again by ${formatZxid(applied)}`,
      );
  }

  /** What the node has applied is the committed history up to there. */
  private agrees(node: NodeView): void {
    const { ledger } = this.view;
    const { applied, log } = node;
    if (applied === zxidZero) return;
    if (!ledger.has(applied)) {
      this.view.violate(
        'committed prefixes are equal',
        `node ${node.index} has applied ${formatZxid(applied)}, which is not committed`,
      );
      return;
    }
    const own = log.hashAt(applied);
    if (own !== ledger.hashAt(applied) && applied > log.base) {
      this.view.violate(
        'committed prefixes are equal',
        `node ${node.index} differs from the committed history at ${formatZxid(applied)}`,
      );
    }
  }
}
