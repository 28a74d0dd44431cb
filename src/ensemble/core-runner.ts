// Runs the consensus core: gives it what happened, event by event, and carries out what it asks for in the order given.
// Decides nothing itself. Completions of disk and network come back here as events.

import { Fifo } from '../shared/fifo.js';
import { type Zxid, zxidZero } from '../shared/ids.js';
import type { Tree } from '../tree/tree.js';
import type { ZabEffect } from '../zab/effects.js';
import type { ZabEvent } from '../zab/events.js';
import type { Batch } from '../zab/messages.js';
import { batchesInFlight, committedOf, nextZxid, step, type ZabState } from '../zab/zab.js';
import { DeliveryQueue } from './delivery-queue.js';
import type { PeerLinks } from './peer-links.js';
import type { ElectionNetwork, EnsembleLog, NodeStorage } from './ports.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';

export type RoleChange = Extract<ZabEffect, { readonly type: 'roleChanged' }>;

export interface CoreRunnerHost {
  roleChanged(change: RoleChange): void;
  /** The tree has applied more. */
  delivered(): void;
  leadershipConfirmed(request: number): void;
  halt(reason: string): void;
}

export class CoreRunner {
  private readonly storage: NodeStorage;
  private readonly tree: Tree;
  private readonly links: PeerLinks;
  private readonly electionNetwork: ElectionNetwork;
  private readonly snapshotReceiver: SnapshotReceiver;
  private readonly log: EnsembleLog;
  private readonly host: CoreRunnerHost;
  private readonly delivery = new DeliveryQueue();
  private readonly events = new Fifo<ZabEvent>();
  private core: ZabState | null = null;
  private stepping = false;
  private stopped = false;
  /** The batch that this node is proposing in the step under way: the tree holds its entries as staged. */
  private proposing: Batch | null = null;

  constructor(parts: {
    readonly storage: NodeStorage;
    readonly tree: Tree;
    readonly links: PeerLinks;
    readonly electionNetwork: ElectionNetwork;
    readonly snapshotReceiver: SnapshotReceiver;
    readonly log: EnsembleLog;
    readonly host: CoreRunnerHost;
  }) {
    this.storage = parts.storage;
    this.tree = parts.tree;
    this.links = parts.links;
    this.electionNetwork = parts.electionNetwork;
    this.snapshotReceiver = parts.snapshotReceiver;
    this.log = parts.log;
    this.host = parts.host;
  }

  /** A batch of this node's own log that the tree has not applied, found at boot, oldest first. */
  loaded(batch: Batch): void {
    this.delivery.append(batch, false);
  }

  start(core: ZabState): void {
    this.core = core;
  }

  stop(): void {
    this.stopped = true;
  }

  /** First zxid of the next batch; null while this node may not propose. */
  nextZxid(): Zxid | null {
    return this.core === null ? null : nextZxid(this.core);
  }

  batchesInFlight(): number {
    return this.core === null ? 0 : batchesInFlight(this.core);
  }

  committedZxid(): Zxid {
    return this.core === null ? zxidZero : committedOf(this.core);
  }

  dispatch(event: ZabEvent): void {
    if (this.core === null || this.stopped) return;
    this.events.push(event);
    if (this.stepping) return;
    this.stepping = true;
    for (let next = this.events.shift(); next !== undefined && !this.stopped; next = this.events.shift()) {
      this.proposing = next.type === 'propose' ? next.batch : null;
      for (const effect of step(this.core, next)) this.carryOut(effect);
    }
    this.proposing = null;
    this.stepping = false;
  }

  /** storage.log and storage.store are those of an installed snapshot. */
  snapshotInstalled(): void {
    this.delivery.clear();
    this.tree.replaceStore(this.storage.store);
  }

  /** Leadership is lost: staged entries come back from the log if they commit. */
  unstage(): void {
    this.tree.dropStaged();
    this.delivery.unstage();
  }

  private carryOut(effect: ZabEffect): void {
    switch (effect.type) {
      case 'sendDatagram':
        this.electionNetwork.send(effect.to, effect.message);
        return;
      case 'connect':
        this.links.connect(effect.peer);
        return;
      case 'disconnect':
        this.links.disconnect(effect.link, effect.reason);
        this.snapshotReceiver.linkClosed(effect.link);
        return;
      case 'send':
        this.links.send(effect.link, effect.message);
        return;
      case 'sendProposal':
        this.links.propose(effect.links, effect.batch, effect.committed);
        return;
      case 'synchronize':
        this.links.synchronize(effect.link, effect.plan, effect.through);
        return;
      case 'persist':
        this.storage.persist(effect.record, (error) => {
          if (error === null) this.dispatch({ type: 'persisted' });
          else this.host.halt(`cannot write the manifest: ${error.message}`);
        });
        return;
      case 'append':
        this.delivery.append(effect.batch, effect.batch === this.proposing);
        this.storage.log.append(effect.batch);
        return;
      case 'truncateLog':
        this.storage.log.truncate(effect.to, () => {
          this.delivery.truncateAfter(effect.to);
          this.dispatch({ type: 'truncated', to: effect.to });
        });
        return;
      case 'receiveSnapshot':
        this.snapshotReceiver.start(effect.peer, effect.link, effect.record);
        return;
      case 'deliver':
        this.delivery.deliver(effect.through, this.tree);
        this.host.delivered();
        return;
      case 'roleChanged':
        this.host.roleChanged(effect);
        return;
      case 'leadershipConfirmed':
        this.host.leadershipConfirmed(effect.request);
        return;
      case 'note':
        this.log[effect.level](effect.text);
        return;
      case 'halt':
        this.host.halt(effect.reason);
        return;
    }
  }
}
