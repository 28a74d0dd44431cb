// Epochs on disk: they never go back, current never passes accepted, the ensemble's id stays, and a node that
// has written currentEpoch e holds the whole history that e began with.

import { type Epoch, epochOf, formatZxid, type Zxid } from '../../shared/ids.js';
import type { EpochRecord } from '../../zab/effects.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

export class EpochRecords implements EnsembleChecker {
  private readonly view: EnsembleView;
  /** What the first node that wrote this currentEpoch, its leader, had logged then. */
  private readonly initial = new Map<Epoch, { readonly last: Zxid; readonly historyHash: number }>();

  constructor(view: EnsembleView) {
    this.view = view;
  }

  persisted(node: NodeView, previous: EpochRecord): void {
    const { record } = node;
    const describe = (): string =>
      `node ${node.index}: accepted ${previous.acceptedEpoch} → ${record.acceptedEpoch}, current ${previous.currentEpoch} → ${record.currentEpoch}`;
    if (record.acceptedEpoch < previous.acceptedEpoch || record.currentEpoch < previous.currentEpoch) {
      this.view.violate('epochs never go back', describe());
    }
    if (record.currentEpoch > record.acceptedEpoch) this.view.violate('current epoch at most accepted', describe());
    // Before it has acknowledged a NEWLEADER a node has taken part in nothing, and may form or join another ensemble.
    if (previous.currentEpoch > 0 && record.ensembleId !== previous.ensembleId) {
      this.view.violate('the ensemble id stays', `node ${node.index}: ${previous.ensembleId} → ${record.ensembleId}`);
    }
    if (record.currentEpoch > previous.currentEpoch) this.holdsInitialHistory(node, record.currentEpoch);
  }

  roleChanged(node: NodeView): void {
    if (!node.serving) return;
    const logged = epochOf(node.log.last);
    if (node.record.currentEpoch !== node.epoch || logged > node.epoch) {
      this.view.violate(
        'serving only in the current epoch',
        `node ${node.index} serves in epoch ${node.epoch}; on disk current is ${node.record.currentEpoch}, last logged ${formatZxid(node.log.last)}`,
      );
    }
  }

  private holdsInitialHistory(node: NodeView, epoch: Epoch): void {
    const initial = this.initial.get(epoch);
    const { log } = node;
    if (initial === undefined) {
      this.initial.set(epoch, { last: log.last, historyHash: log.lastHash });
      if (log.durable < log.last)
        this.view.violate(
          'current epoch implies its initial history',
          `${node.describe()}: its own tail is not durable`,
        );
      return;
    }
    const own = log.hashAt(initial.last);
    const below = own === undefined && initial.last < log.base;
    if (below || (own === initial.historyHash && log.durable >= initial.last)) return;
    this.view.violate(
      'current epoch implies its initial history',
      `${node.describe()}: wrote current epoch ${epoch}, which began with ${formatZxid(initial.last)}`,
    );
  }
}
