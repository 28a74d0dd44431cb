// Brings together the two halves of a snapshot's beginning on the leader: the core wants one sent to a follower, and that
// follower asks for it on its bulk connection, in whichever order. Knows no bytes; snapshot-sender.ts has those.

import type { ServerId, Zxid } from '../shared/ids.js';
import type { PeerLinks } from './peer-links.js';
import type { SnapshotSender } from './snapshot-sender.js';

export class SnapshotRequests {
  private readonly sender: Pick<SnapshotSender, 'start' | 'cancel'>;
  private readonly links: Pick<PeerLinks, 'bulkLinkOf' | 'dropQuorumOf'>;
  /** Snapshots that the core wants sent, until the follower has asked for them. */
  private readonly due = new Map<ServerId, (installed: Zxid) => void>();
  /** Bulk links on which a follower has asked for one and has not installed it. */
  private readonly open = new Set<number>();

  constructor(sender: Pick<SnapshotSender, 'start' | 'cancel'>, links: Pick<PeerLinks, 'bulkLinkOf' | 'dropQuorumOf'>) {
    this.sender = sender;
    this.links = links;
  }

  /** The core wants a snapshot sent. */
  wanted(peer: ServerId, done: (installed: Zxid) => void): void {
    this.due.set(peer, done);
    this.start(peer);
  }

  /** The follower is ready for it. */
  asked(peer: ServerId, link: number): void {
    this.open.add(link);
    this.start(peer);
  }

  installed(link: number): void {
    this.open.delete(link);
  }

  closed(peer: ServerId, link: number): void {
    this.sender.cancel(link);
    if (!this.open.delete(link)) return;
    this.due.delete(peer);
    // The follower may have it whole and install it, and could not say so: it waits for us, and pings would keep both.
    this.links.dropQuorumOf(peer, 'the bulk connection closed during a snapshot');
  }

  leadershipLost(): void {
    for (const link of this.open) this.sender.cancel(link);
    this.open.clear();
    this.due.clear();
  }

  private start(peer: ServerId): void {
    const link = this.links.bulkLinkOf(peer);
    const done = this.due.get(peer);
    if (link === undefined || done === undefined || !this.open.has(link)) return;
    this.due.delete(peer);
    this.sender.start(link, done);
  }
}
