// What a node says to a peer is already on its platter: epochs before ACKEPOCH, the synchronized log and currentEpoch
// before ACK(NEWLEADER), entries before ACK; and what a leader calls committed is on a quorum's platters.

import { formatZxid, type Zxid, zxidZero } from '../../shared/ids.js';
import type { PeerMessage } from '../../zab/messages.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

interface LinkState {
  newLeaderAcknowledged: boolean;
  acknowledged: Zxid;
}

export class Acknowledgements implements EnsembleChecker {
  private readonly view: EnsembleView;
  private readonly links = new Map<string, LinkState>();
  private claimed: Zxid = zxidZero;

  constructor(view: EnsembleView) {
    this.view = view;
  }

  booted(node: NodeView): void {
    for (const name of this.links.keys()) if (name.startsWith(`${node.index}:`)) this.links.delete(name);
  }

  sent(from: NodeView, _to: NodeView, link: number, message: PeerMessage): void {
    switch (message.type) {
      case 'ackEpoch':
        if (from.record.acceptedEpoch < message.epoch) this.tooEarly(from, `ACKEPOCH ${message.epoch}`);
        return;
      case 'leaderInfo':
        if (from.record.acceptedEpoch < message.epoch) this.tooEarly(from, `LEADERINFO ${message.epoch}`);
        return;
      case 'newLeader':
        if (from.record.currentEpoch !== message.epoch) this.tooEarly(from, `NEWLEADER ${message.epoch}`);
        return;
      case 'ackNewLeader':
        if (from.record.currentEpoch !== message.epoch || from.log.durable < message.durable) {
          this.tooEarly(from, `ACK(NEWLEADER ${message.epoch}) with ${formatZxid(message.durable)}`);
        }
        this.stateOf(from, link).newLeaderAcknowledged = true;
        return;
      case 'ack':
        this.acknowledged(from, link, message.durable);
        return;
      case 'commit':
      case 'upToDate':
      case 'ping':
      case 'proposal':
        this.claims(from, message.committed, message.type);
        return;
      case 'followerInfo':
      case 'pong':
      case 'voterReady':
      case 'truncate':
      case 'snapshot':
        return;
    }
  }

  private acknowledged(from: NodeView, link: number, durable: Zxid): void {
    const state = this.stateOf(from, link);
    if (from.log.durable < durable) this.tooEarly(from, `ACK ${formatZxid(durable)}`);
    if (!state.newLeaderAcknowledged) {
      this.view.violate(
        'NEWLEADER is acknowledged before any proposal',
        `node ${from.index} sends ACK ${formatZxid(durable)} first`,
      );
    }
    if (durable < state.acknowledged) {
      this.view.violate(
        'acknowledgements never go back',
        `node ${from.index}: ${formatZxid(durable)} after ${formatZxid(state.acknowledged)}`,
      );
    }
    state.acknowledged = durable;
  }

  private claims(from: NodeView, committed: Zxid, how: string): void {
    if (committed <= this.claimed) return;
    this.claimed = committed;
    const historyHash = from.log.hashAt(committed);
    if (historyHash === undefined) {
      if (committed < from.log.base) return;
      this.view.violate(
        'committed is known to its leader',
        `node ${from.index} calls ${formatZxid(committed)} committed (${how}) and does not hold it`,
      );
      return;
    }
    const holders = this.view.holders(committed, historyHash);
    if (holders < this.view.quorum) {
      this.view.violate(
        'committed is durable on a quorum',
        `node ${from.index} calls ${formatZxid(committed)} committed (${how}); ${holders} nodes hold it`,
      );
    }
  }

  private tooEarly(from: NodeView, what: string): void {
    this.view.violate('durable before acknowledged', `sends ${what} too early; ${from.describe()}`);
  }

  private stateOf(from: NodeView, link: number): LinkState {
    const name = `${from.index}:${link}`;
    let state = this.links.get(name);
    if (state === undefined) {
      state = { newLeaderAcknowledged: false, acknowledged: zxidZero };
      this.links.set(name, state);
    }
    return state;
  }
}
