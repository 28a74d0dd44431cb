// Receives what the other members ask on the bulk channel and passes it to whoever answers: forwarded writes, read
// points, snapshots, broadcasts, reports and addresses. Holds the leader's side of each connection, nothing of Zab.

import { type ServerId, type Zxid, zxidZero } from '../shared/ids.js';
import type { CommandResult } from '../tree/command.js';
import type { BulkMessage } from '../wire/bulk-messages.js';
import type { Broadcasts } from './broadcasts.js';
import type { CheckpointReport, CheckpointReports } from './checkpoint-reports.js';
import { type Forwarder, ForwardResults } from './forwarding.js';
import { HeldWrites } from './held-writes.js';
import type { LeaderRequests } from './leader-requests.js';
import type { PeerLinks } from './peer-links.js';
import type { Scheduler } from './ports.js';
import type { ReadPoints } from './read-points.js';
import { failure, type PendingRequest } from './request.js';
import type { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotRequests } from './snapshot-requests.js';
import type { SnapshotSender } from './snapshot-sender.js';

export interface BulkDeskParts {
  readonly scheduler: Scheduler;
  readonly links: PeerLinks;
  readonly leaderRequests: LeaderRequests;
  readonly forwarder: Forwarder;
  readonly readPoints: ReadPoints;
  readonly snapshotSender: SnapshotSender;
  readonly snapshotReceiver: SnapshotReceiver;
  readonly broadcasts: Broadcasts;
  readonly reports: CheckpointReports;
  /** A report was added. */
  reported(report: CheckpointReport): void;
  /** RequestAddr of every member that is known, this node's own included. */
  readonly requestAddresses: Map<ServerId, string>;
  /** True while this node leads and may answer. */
  leads(): boolean;
  appliedZxid(): Zxid;
  /** Unsent bytes on a connection past which the writes that came over it wait. */
  readonly answersUnsentBytesMax: number;
  /** What the answer to one command may hold. */
  readonly answerBytesMax: number;
  /** How long a read point that another node asked for may take. */
  readonly readPointTimeoutMs: number;
}

export class BulkDesk {
  private readonly parts: BulkDeskParts;
  private readonly forwardResults = new Map<number, ForwardResults>();
  private readonly heldWrites = new Map<number, HeldWrites>();
  private readonly snapshots: SnapshotRequests;

  constructor(parts: BulkDeskParts) {
    this.parts = parts;
    this.snapshots = new SnapshotRequests(parts.snapshotSender, parts.links);
  }

  opened(peer: ServerId, link: number): void {
    const { links, scheduler, snapshotReceiver, leaderRequests, answersUnsentBytesMax, answerBytesMax } = this.parts;
    const send = (message: BulkMessage): void => links.sendOnBulk(link, message);
    this.forwardResults.set(link, new ForwardResults(send, (task) => scheduler.defer(task), answerBytesMax));
    const hasRoom = (): boolean => links.queuedBytes(link) <= answersUnsentBytesMax;
    this.heldWrites.set(link, new HeldWrites({ hasRoom, resubmit: (request) => leaderRequests.resubmit(request) }));
    snapshotReceiver.bulkOpened(peer);
  }

  drained(link: number): void {
    this.heldWrites.get(link)?.drained(this.parts.scheduler.nowMs());
  }

  closed(peer: ServerId, link: number): void {
    this.forwardResults.delete(link);
    this.heldWrites.delete(link);
    this.snapshots.closed(peer, link);
    this.parts.snapshotReceiver.bulkClosed(peer);
  }

  leadershipLost(): void {
    this.snapshots.leadershipLost();
    for (const held of this.heldWrites.values()) held.leadershipLost();
  }

  /** The core wants a snapshot sent; the transfer begins when the follower has asked for it, in whichever order. */
  snapshotDue(peer: ServerId, done: (installed: Zxid) => void): void {
    this.snapshots.wanted(peer, done);
  }

  received(peer: ServerId, link: number, message: BulkMessage): void {
    const { links, forwarder, readPoints, snapshotSender, snapshotReceiver, broadcasts } = this.parts;
    switch (message.type) {
      case 'forward':
        this.forwarded(link, message.items);
        return;
      case 'forwardResult':
        forwarder.results(message.items);
        return;
      case 'readPoint':
        this.readPointAsked(link, message.id);
        return;
      case 'readPointResult':
        readPoints.leaderAnswered(message.id, message.code === 'OK' ? message.zxid : null);
        return;
      case 'snapshotRequest':
        this.snapshots.asked(peer, link);
        return;
      case 'snapshotCredit':
        snapshotSender.credit(link, message.chunks);
        return;
      case 'snapshotInstalled':
        this.snapshots.installed(link);
        snapshotSender.installed(link, message.zxid);
        return;
      case 'snapshotBegin':
      case 'snapshotChunk':
      case 'snapshotEnd':
        snapshotReceiver.received(peer, message);
        return;
      case 'broadcast':
        broadcasts.received(message.payload);
        if (this.parts.leads()) links.sendOnBulk(link, { type: 'broadcastDone', id: message.id });
        return;
      case 'broadcastDone':
        broadcasts.confirmed(message.id);
        return;
      case 'digestReport':
        this.report(
          { id: message.server, zxid: message.zxid, revision: message.revision, digest: message.digest },
          peer,
        );
        return;
      case 'memberAddresses':
        for (const { server, requestAddr } of message.items) this.parts.requestAddresses.set(server, requestAddr);
        return;
    }
  }

  /** A digest found at a checkpoint: by this node (`from` null) or told by a peer. The leader passes each on to all. */
  report(report: CheckpointReport, from: ServerId | null, leader: ServerId | null = null): void {
    const { links, reports } = this.parts;
    reports.add(report);
    this.parts.reported(report);
    const { id: server, zxid, revision, digest } = report;
    const message: BulkMessage = { type: 'digestReport', server, zxid, revision, digest };
    if (this.parts.leads()) links.sendToAllBulk(message, from);
    else if (leader !== null) links.sendBulk(leader, message);
  }

  /** Tells followers where every member takes requests; `peer` has just been heard of. */
  learnAddress(peer: ServerId, requestAddr: string | undefined): void {
    const { requestAddresses, links } = this.parts;
    if (requestAddr !== undefined) requestAddresses.set(peer, requestAddr);
    const items = [...requestAddresses].map(([server, address]) => ({ server, requestAddr: address }));
    links.sendToAllBulk({ type: 'memberAddresses', items }, null);
  }

  private forwarded(link: number, items: Extract<BulkMessage, { readonly type: 'forward' }>['items']): void {
    const results = this.forwardResults.get(link);
    if (results === undefined) return;
    const held = this.heldWrites.get(link);
    const takenBack = (request: PendingRequest): boolean => held?.take(request) === true;
    const leads = this.parts.leads();
    const nowMs = this.parts.scheduler.nowMs();
    for (const { id, timeoutMs, envelope } of items) {
      if (!leads) results.add(id, failure('NO_QUORUM', 'the node that the write was forwarded to does not lead'));
      else {
        const done = (result: CommandResult): void => results.add(id, result);
        this.parts.leaderRequests.submit({ envelope, deadlineMs: nowMs + timeoutMs, done, takenBack, answered: false });
      }
    }
  }

  private readPointAsked(link: number, id: number): void {
    const { links, readPoints, scheduler } = this.parts;
    const refuse = (): void =>
      links.sendOnBulk(link, { type: 'readPointResult', id, code: 'NO_QUORUM', zxid: zxidZero });
    if (!this.parts.leads()) {
      refuse();
      return;
    }
    // The leader's own read point serves: once applied here, its zxid is one that every read asked for before must see.
    readPoints.request(scheduler.nowMs() + this.parts.readPointTimeoutMs, (error) => {
      if (error !== null) refuse();
      else links.sendOnBulk(link, { type: 'readPointResult', id, code: 'OK', zxid: this.parts.appliedZxid() });
    });
  }
}
