// At most one established leader an epoch; it holds everything committed when it is established; everybody who follows
// in that epoch follows it; whatever enters a log was proposed by it first.

import { type Epoch, epochOf, formatZxid, type ServerId, type Zxid } from '../../shared/ids.js';
import type { Batch, PeerMessage } from '../../zab/messages.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

export class EpochLeaders implements EnsembleChecker {
  readonly leaders = new Map<Epoch, ServerId>();
  private readonly view: EnsembleView;
  private readonly proposed = new Set<Zxid>();

  constructor(view: EnsembleView) {
    this.view = view;
  }

  roleChanged(node: NodeView): void {
    if (!node.serving) return;
    if (node.role === 'leading') this.established(node);
    else if (node.role === 'following') {
      const leader = this.leaders.get(node.epoch);
      if (leader !== node.leader) {
        this.view.violate(
          'one leader per epoch',
          `node ${node.index} serves in epoch ${node.epoch} under ${node.leader}, established is ${leader}`,
        );
      }
    } else this.view.violate('serving needs a role', `node ${node.index} serves while looking`);
  }

  appending(node: NodeView, batch: Batch): void {
    this.proposedBy(node, batch);
  }

  sent(from: NodeView, _to: NodeView, _link: number, message: PeerMessage): void {
    // A leader may die between sending its proposal and logging it.
    if (message.type === 'proposal') this.proposedBy(from, message.batch);
  }

  private proposedBy(node: NodeView, batch: Batch): void {
    if (this.proposed.has(batch.last)) return;
    this.proposed.add(batch.last);
    const leader = this.leaders.get(epochOf(batch.last));
    if (leader !== node.serverId) {
      this.view.violate(
        'delivered implies proposed by the leader',
        `${formatZxid(batch.last)} comes from node ${node.index} first; the epoch's established leader is ${leader ?? 'nobody'}`,
      );
    }
  }

  private established(node: NodeView): void {
    const known = this.leaders.get(node.epoch);
    if (known === undefined) {
      this.leaders.set(node.epoch, node.serverId);
      this.holdsCommitted(node);
    } else if (known !== node.serverId) {
      this.view.violate(
        'one leader per epoch',
        `epoch ${node.epoch}: ${known} was established, then node ${node.index} (${node.serverId})`,
      );
    }
  }

  /** Everything of earlier epochs. A leader may learn late, from acknowledgements under way, that it was established. */
  private holdsCommitted(node: NodeView): void {
    const { ledger } = this.view;
    const due = ledger.lastBefore(node.epoch);
    const own = node.log.hashAt(due);
    if (due <= node.log.base || own === ledger.hashAt(due)) return;
    this.view.violate(
      'a new leader holds everything committed',
      `node ${node.index} leads epoch ${node.epoch} with log ${node.log.describe()}; committed before is ${formatZxid(due)}`,
    );
  }
}
