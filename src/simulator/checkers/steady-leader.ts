// While the only fault is a member that is cut off again and again, the leader that the ensemble has stays: that member's
// rounds and ballots depose nobody. For runs with no other fault; elsewhere leaders fall for good reasons.

import { type Epoch, epochZero } from '../../shared/ids.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

export class SteadyLeader implements EnsembleChecker {
  private readonly view: EnsembleView;
  /** Of the leader that the whole ensemble followed first. */
  private settled: Epoch = epochZero;

  constructor(view: EnsembleView) {
    this.view = view;
  }

  roleChanged(node: NodeView): void {
    const { nodes } = this.view;
    if (this.settled === epochZero) {
      if (nodes.every((other) => other.serving && other.epoch === node.epoch)) this.settled = node.epoch;
      return;
    }
    if (!node.serving || node.epoch === this.settled) return;
    this.view.violate(
      'a flapping minority deposes nobody',
      `node ${node.index} serves in epoch ${node.epoch}; everybody had settled in epoch ${this.settled}`,
    );
    this.settled = node.epoch;
  }
}
