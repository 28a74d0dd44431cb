// What a node says to a peer is already on its platter: epochs before ACKEPOCH, the synchronized log and currentEpoch
// before ACK(NEWLEADER), entries before ACK, the end of its log before it is told; nothing is said for an epoch that was
// left or after a failed write; and what a leader calls committed is on the platters of a quorum of those who count.

import { type Epoch, formatZxid, type Zxid, zxidZero } from '../../shared/ids.js';
import type { ElectionMessage, PeerMessage } from '../../zab/messages.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

interface LinkState {
  /** What this end has promised or offered on the link. */
  epoch: Epoch | undefined;
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

  voted(from: NodeView, message: ElectionMessage): void {
    // Who leads or follows repeats the vote that it was elected with.
    if (message.role === 'looking' && message.vote.serverId === from.serverId)
      this.endsThere(from, 'its ballot', message.vote.lastZxid);
  }

  sent(from: NodeView, _to: NodeView, link: number, message: PeerMessage): void {
    if (message.type !== 'pong' && message.type !== 'followerInfo') this.speaks(from, link, message);
    switch (message.type) {
      case 'followerInfo':
        this.endsThere(from, 'FOLLOWERINFO', message.lastZxid);
        return;
      case 'ackEpoch':
        if (from.record.acceptedEpoch < message.epoch) this.tooEarly(from, `ACKEPOCH ${message.epoch}`);
        this.endsThere(from, 'ACKEPOCH', message.lastZxid);
        this.stateOf(from, link).epoch = message.epoch;
        return;
      case 'leaderInfo':
        if (from.record.acceptedEpoch < message.epoch) this.tooEarly(from, `LEADERINFO ${message.epoch}`);
        this.stateOf(from, link).epoch = message.epoch;
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
      case 'pong':
      case 'voterReady':
      case 'truncate':
      case 'snapshot':
        return;
    }
  }

  /** Whatever it says: it has not failed, and the epoch it speaks for is the last one that it accepted. */
  private speaks(from: NodeView, link: number, message: PeerMessage): void {
    if (from.failed) {
      this.view.violate('no word after a failed write', `sends ${message.type}; ${from.describe()}`);
    }
    const epoch = this.links.get(`${from.index}:${link}`)?.epoch;
    if (epoch === undefined || from.record.acceptedEpoch <= epoch) return;
    this.view.violate(
      'no word for an epoch that was left',
      `sends ${message.type} on a link of epoch ${epoch}; ${from.describe()}`,
    );
  }

  private endsThere(from: NodeView, what: string, lastZxid: Zxid): void {
    if (lastZxid === from.log.durable && lastZxid === from.log.last) return;
    this.view.violate('told where its log ends', `${what} says ${formatZxid(lastZxid)}; ${from.describe()}`);
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
    if (committed <= this.claimed || committed <= this.view.ledger.begin) return;
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
      return;
    }
    const counted = this.view.countedHolders(committed, historyHash);
    if (counted < this.view.quorum) {
      this.view.violate(
        'only those who count make a quorum',
        `node ${from.index} calls ${formatZxid(committed)} committed (${how}); ${counted} of ${holders} holders count`,
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
      state = { epoch: undefined, newLeaderAcknowledged: false, acknowledged: zxidZero };
      this.links.set(name, state);
    }
    return state;
  }
}
