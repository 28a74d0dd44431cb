// Every connection between this node and the other members: which link is whose, what goes out on it in which order,
// and what came in, decoded. Decides nothing about the protocol; a frame that cannot be decoded costs its connection.

import { formatZxid, type GroupId, type ServerId, type Zxid } from '../shared/ids.js';
import { decodeBulkMessage, encodeBulkMessage } from '../wire/bulk-codec.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import { decodePeerMessage, encodePeerMessage } from '../wire/peer-codec.js';
import type { SyncPlan } from '../zab/effects.js';
import type { Batch, PeerMessage } from '../zab/messages.js';
import { FollowerLink } from './follower-link.js';
import type { Channel, CommitLog, EnsembleLog, PeerNetwork, Scheduler } from './ports.js';

export interface PeerLinksHost {
  quorumOpened(peer: ServerId, link: number, outgoing: boolean): void;
  /** link 0: it never opened. */
  quorumClosed(peer: ServerId, link: number): void;
  quorumMessage(peer: ServerId, link: number, message: PeerMessage): void;
  bulkOpened(peer: ServerId, link: number): void;
  bulkClosed(peer: ServerId, link: number): void;
  /** Its unsent bytes have fallen to the low-water mark after they were above it. */
  bulkDrained(link: number): void;
  bulkMessage(peer: ServerId, link: number, message: BulkMessage): void;
  log(): CommitLog;
  /** Starts a snapshot for the follower as soon as it asks for it on its bulk link. */
  sendSnapshot(peer: ServerId, done: (installed: Zxid) => void): void;
}

interface Connection {
  readonly link: number;
  readonly peer: ServerId;
  readonly channel: Channel;
  readonly outgoing: boolean;
  /** On an incoming quorum connection: what the leader sends there. */
  readonly follower: FollowerLink | null;
}

const bulkRetryMs = 100;

export class PeerLinks {
  private readonly network: PeerNetwork;
  private readonly group: GroupId;
  private readonly host: PeerLinksHost;
  private readonly scheduler: Scheduler;
  private readonly logger: EnsembleLog;
  private readonly queueBytesMax: number;
  private readonly connections = new Map<number, Connection>();
  private readonly bulkByPeer = new Map<ServerId, number>();
  /** The member that this node has an outgoing quorum connection to: the leader, or who it takes for one. */
  private leader: ServerId | null = null;
  private stopped = false;

  constructor(options: {
    readonly network: PeerNetwork;
    readonly group: GroupId;
    readonly host: PeerLinksHost;
    readonly scheduler: Scheduler;
    readonly log: EnsembleLog;
    readonly queueBytesMax: number;
  }) {
    this.network = options.network;
    this.group = options.group;
    this.host = options.host;
    this.scheduler = options.scheduler;
    this.logger = options.log;
    this.queueBytesMax = options.queueBytesMax;
  }

  start(): void {
    this.network.start({
      opened: (link, peer, channel, outgoing) => this.opened(link, peer, channel, outgoing),
      failed: (peer, channel, reason) => this.failed(peer, channel, reason),
      received: (link, frame) => this.received(link, frame),
      closed: (link, reason) => this.closed(link, reason),
      drained: (link) => this.drained(link),
    });
  }

  stop(): void {
    this.stopped = true;
    for (const { follower } of this.connections.values()) follower?.close();
    this.network.stop();
  }

  connect(peer: ServerId): void {
    this.network.connect(peer, 'quorum');
  }

  /** Closes a quorum connection, and the bulk connection to the same peer with it. */
  disconnect(link: number, reason: string): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    this.logger.info('closing a peer connection', { peer: connection.peer, reason });
    this.forget(connection);
    this.network.close(link);
    const bulk = this.bulkByPeer.get(connection.peer);
    if (bulk !== undefined) this.dropBulk(bulk);
  }

  /** Closes a quorum connection that cannot go on, and says so to the core. */
  abandon(link: number, reason: string): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    this.disconnect(link, reason);
    this.host.quorumClosed(connection.peer, link);
  }

  send(link: number, message: PeerMessage): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    const chunks = encodePeerMessage(this.group, message);
    // A ping overtakes an unfinished synchronization: a long one must not look like silence, or hold up a confirmation.
    if (connection.follower === null || message.type === 'ping') this.network.send(link, chunks);
    else connection.follower.send(chunks);
    if (this.network.queuedBytes(link) > this.queueBytesMax) this.abandonLater(link);
  }

  propose(links: readonly { readonly link: number }[], batch: Batch, committed: Zxid): void {
    const chunks = encodePeerMessage(this.group, { type: 'proposal', batch, committed });
    for (const { link } of links) this.connections.get(link)?.follower?.propose(batch, chunks);
  }

  synchronize(link: number, plan: SyncPlan, through: Zxid): void {
    const connection = this.connections.get(link);
    if (connection?.follower === null || connection === undefined) return;
    const { follower, peer } = connection;
    switch (plan.kind) {
      case 'diff':
        this.logger.info('synchronizing a follower by diff', {
          peer,
          after: formatZxid(plan.after),
          through: formatZxid(through),
        });
        follower.streamLog(plan.after, through);
        return;
      case 'truncate':
        this.logger.info('synchronizing a follower by truncate', {
          peer,
          to: formatZxid(plan.to),
          through: formatZxid(through),
        });
        follower.send(encodePeerMessage(this.group, { type: 'truncate', to: plan.to }));
        follower.streamLog(plan.to, through);
        return;
      case 'snapshot':
        this.logger.info('synchronizing a follower by snapshot', { peer, through: formatZxid(through) });
        follower.send(encodePeerMessage(this.group, { type: 'snapshot' }));
        follower.streamSnapshot(through);
        return;
    }
  }

  /** Something on a bulk link cannot go on: the quorum connection of that peer ends too, and it synchronizes again. */
  dropPeerOfBulk(bulkLink: number, reason: string): void {
    const peer = this.connections.get(bulkLink)?.peer;
    if (peer !== undefined && !this.dropQuorumOf(peer, reason)) this.closed(bulkLink, reason, true);
  }

  /** Closes the peer's quorum connection; false when there is none. */
  dropQuorumOf(peer: ServerId, reason: string): boolean {
    for (const connection of this.connections.values()) {
      if (connection.peer === peer && connection.channel === 'quorum') {
        this.abandon(connection.link, reason);
        return true;
      }
    }
    return false;
  }

  bulkLinkOf(peer: ServerId): number | undefined {
    return this.bulkByPeer.get(peer);
  }

  /** False when there is no bulk connection to the peer. */
  sendBulk(peer: ServerId, message: BulkMessage): boolean {
    const link = this.bulkByPeer.get(peer);
    if (link === undefined) return false;
    this.sendOnBulk(link, message);
    return true;
  }

  sendOnBulk(link: number, message: BulkMessage): void {
    if (!this.connections.has(link)) return;
    this.network.send(link, encodeBulkMessage(this.group, message));
    if (this.network.queuedBytes(link) > this.queueBytesMax) this.abandonLater(link);
  }

  /** Unsent bytes. */
  queuedBytes(link: number): number {
    return this.network.queuedBytes(link);
  }

  sendToAllBulk(message: BulkMessage, except: ServerId | null): void {
    for (const [peer, link] of this.bulkByPeer) if (peer !== except) this.sendOnBulk(link, message);
  }

  /** A peer that does not read: nothing may pile up without bound for it. Later, because a sender may be in a loop. */
  private abandonLater(link: number): void {
    this.scheduler.defer(() => {
      const connection = this.connections.get(link);
      if (connection === undefined) return;
      const reason = `more than ${this.queueBytesMax} bytes wait for this peer (peerQueueBytesMax)`;
      if (connection.channel === 'quorum') this.abandon(link, reason);
      else this.closed(link, reason, true);
    });
  }

  private opened(link: number, peer: ServerId, channel: Channel, outgoing: boolean): void {
    const connection: Connection = {
      link,
      peer,
      channel,
      outgoing,
      follower: channel === 'quorum' && !outgoing ? this.followerLink(link, peer) : null,
    };
    this.connections.set(link, connection);
    if (channel === 'bulk') {
      const previous = this.bulkByPeer.get(peer);
      if (previous !== undefined) this.dropBulk(previous);
      this.bulkByPeer.set(peer, link);
      this.host.bulkOpened(peer, link);
      return;
    }
    if (outgoing) {
      this.leader = peer;
      this.network.connect(peer, 'bulk');
    }
    this.host.quorumOpened(peer, link, outgoing);
  }

  private drained(link: number): void {
    const connection = this.connections.get(link);
    if (connection?.channel === 'bulk') this.host.bulkDrained(link);
    else connection?.follower?.drained();
  }

  private followerLink(link: number, peer: ServerId): FollowerLink {
    return new FollowerLink({
      log: () => this.host.log(),
      send: (chunks) => this.network.send(link, chunks),
      queuedBytes: () => this.network.queuedBytes(link),
      proposal: (batch) => encodePeerMessage(this.group, { type: 'proposal', batch, committed: 0 as Zxid }),
      sendSnapshot: (done) => this.host.sendSnapshot(peer, done),
      broken: (reason) => this.abandon(link, reason),
    });
  }

  private failed(peer: ServerId, channel: Channel, reason: string): void {
    if (channel === 'quorum') {
      this.logger.info('cannot connect to a peer', { peer, reason });
      this.host.quorumClosed(peer, 0);
    } else this.retryBulk(peer);
  }

  private retryBulk(peer: ServerId): void {
    this.scheduler.after(bulkRetryMs, () => {
      if (!this.stopped && this.leader === peer && !this.bulkByPeer.has(peer)) this.network.connect(peer, 'bulk');
    });
  }

  private received(link: number, frame: Uint8Array): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    let deliver: () => void;
    try {
      if (connection.channel === 'quorum') {
        const { message } = decodePeerMessage(frame);
        deliver = () => this.host.quorumMessage(connection.peer, link, message);
      } else {
        const { message } = decodeBulkMessage(frame);
        deliver = () => this.host.bulkMessage(connection.peer, link, message);
      }
    } catch (error) {
      this.logger.warn('a peer sent a frame that cannot be decoded', { peer: connection.peer, error: String(error) });
      if (connection.channel === 'quorum') this.abandon(link, 'malformed frame');
      else this.closed(link, 'malformed frame', true);
      return;
    }
    deliver();
  }

  private closed(link: number, reason: string, closeIt = false): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    this.logger.info('a peer connection closed', { peer: connection.peer, channel: connection.channel, reason });
    if (closeIt) this.network.close(link);
    this.forget(connection);
    if (connection.channel === 'quorum') {
      const bulk = this.bulkByPeer.get(connection.peer);
      if (bulk !== undefined) this.dropBulk(bulk);
      this.host.quorumClosed(connection.peer, link);
    } else {
      this.host.bulkClosed(connection.peer, link);
      this.retryBulk(connection.peer);
    }
  }

  private dropBulk(link: number): void {
    const connection = this.connections.get(link);
    if (connection === undefined) return;
    this.forget(connection);
    this.network.close(link);
    this.host.bulkClosed(connection.peer, link);
  }

  private forget(connection: Connection): void {
    this.connections.delete(connection.link);
    connection.follower?.close();
    if (connection.channel === 'bulk') {
      if (this.bulkByPeer.get(connection.peer) === connection.link) this.bulkByPeer.delete(connection.peer);
    } else if (connection.outgoing && this.leader === connection.peer) this.leader = null;
  }
}
