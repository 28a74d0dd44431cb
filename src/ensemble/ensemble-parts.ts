// The parts of one node, put together: each is told here what it may ask of the others and whom its news reaches. Nothing
// here knows of a node's start, its end, or what another role means: ensemble.ts does.

import type { StoreError } from '../shared/errors.js';
import { type EnsembleId, formatZxid, groupZero, type ServerId, type Zxid } from '../shared/ids.js';
import type { CommandResult } from '../tree/command.js';
import { Tree } from '../tree/tree.js';
import { AutoCompactor } from './auto-compactor.js';
import { Broadcasts } from './broadcasts.js';
import { BulkDesk } from './bulk-desk.js';
import { CheckpointReports } from './checkpoint-reports.js';
import { CoreRunner, type RoleChange } from './core-runner.js';
import { DivergenceWatch } from './divergence-watch.js';
import type { EnsembleNode } from './ensemble-node.js';
import type { EnsembleOptions, Standing } from './ensemble-options.js';
import { Forwarder } from './forwarding.js';
import { Housekeeping } from './housekeeping.js';
import { LeaderRequests } from './leader-requests.js';
import { leasePortOf } from './lease-port.js';
import { Lessor } from './lessor.js';
import { OwnAlarms } from './own-alarms.js';
import { PeerLinks } from './peer-links.js';
import type { NodeStorage, Scheduler } from './ports.js';
import { ReadPoints } from './read-points.js';
import { answer, failure, type PendingRequest } from './request.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { type Route, WriteRouter } from './write-router.js';
import { ZxidWaiters } from './zxid-waiters.js';

/** The node that the parts belong to. */
export interface EnsemblePartsHost extends Pick<EnsembleNode, 'submit'> {
  roleChanged(change: RoleChange): void;
  /** Safety can no longer be kept. */
  halt(reason: string): void;
  /** A majority of all members agrees on another state than this node has. */
  diverged(reason: string): void;
}

export class EnsembleParts {
  readonly tree: Tree;
  readonly links: PeerLinks;
  readonly runner: CoreRunner;
  readonly desk: BulkDesk;
  readonly leaderRequests: LeaderRequests;
  readonly lessor: Lessor;
  readonly forwarder: Forwarder;
  readonly writes: WriteRouter;
  readonly readPoints: ReadPoints;
  readonly waiters = new ZxidWaiters();
  readonly broadcasts: Broadcasts;
  readonly reports: CheckpointReports;
  readonly divergence: DivergenceWatch;
  readonly housekeeping: Housekeeping;
  readonly ownAlarms: OwnAlarms;
  readonly autoCompactor: AutoCompactor;
  readonly requestAddresses = new Map<ServerId, string>();
  /** As the core said last. */
  standing: Standing;
  private readonly options: EnsembleOptions;
  private readonly host: EnsemblePartsHost;
  private readonly self: ServerId;
  private readonly scheduler: Scheduler;
  private readonly storage: NodeStorage;
  private readonly snapshotReceiver: SnapshotReceiver;
  private confirmation = 0;

  constructor(options: EnsembleOptions, host: EnsemblePartsHost) {
    const { config, scheduler, storage, log } = options;
    const { limits } = config;
    this.options = options;
    this.host = host;
    this.self = config.self.id;
    this.scheduler = scheduler;
    this.storage = storage;
    this.standing = { role: 'looking', epoch: storage.record.currentEpoch, leader: null, serving: false };
    this.tree = new Tree(storage.store, {
      ...limits,
      defer: (task) => scheduler.defer(task),
      overQuota: () => this.ownAlarms.overQuota,
      onBackgroundError: (error) =>
        log.warn('background work on the tree failed and will be tried again', { error: error.message }),
      leases: leasePortOf(config, options.seed, (id) => this.lessor.remainingSeconds(id)),
      ...(options.keyText === undefined ? {} : { keyText: options.keyText }),
    });
    this.ownAlarms = new OwnAlarms({
      self: this.self,
      tree: this.tree,
      quotaBytes: limits.quotaBytes,
      usage: () => this.tree.usage(),
      nowMs: () => scheduler.nowMs(),
      submit: (command, done) => {
        const deadlineMs = scheduler.nowMs() + limits.requestTimeoutMsDefault;
        this.host.submit({ command }, deadlineMs, ({ code }) => done(code === 'OK'));
      },
      warn: (text, details) => log.warn(text, details),
    });
    this.autoCompactor = new AutoCompactor({
      policy: config.autoCompaction,
      tree: this.tree,
      leads: () => this.standing.role === 'leading' && this.standing.serving,
      submit: (command, done) => {
        const deadlineMs = scheduler.nowMs() + limits.requestTimeoutMsDefault;
        this.host.submit({ command }, deadlineMs, ({ code }) => done(code));
      },
      log,
    });
    this.lessor = new Lessor(
      {
        tree: this.tree,
        submit: (request) => this.leaderRequests.submit(request),
        nowMs: () => scheduler.nowMs(),
        defer: (task) => scheduler.defer(task),
      },
      { limits, checkpointIntervalMs: config.timing.leaseCheckpointIntervalMs },
    );
    this.requestAddresses.set(this.self, config.requestAddr);
    this.links = this.createLinks();
    this.leaderRequests = this.createLeaderRequests();
    this.forwarder = this.createForwarder();
    this.writes = new WriteRouter({
      route: () => this.route(),
      leaderRequests: this.leaderRequests,
      forwarder: this.forwarder,
      parkedMax: limits.prepareQueueMax,
    });
    this.readPoints = this.createReadPoints();
    this.snapshotReceiver = new SnapshotReceiver({
      storage,
      sendBulk: (peer, message) => this.links.sendBulk(peer, message),
      installed: (link, zxid, ensembleId) => this.snapshotInstalled(link, zxid, ensembleId),
      abandoned: (link) => this.runner.dispatch({ type: 'snapshotAbandoned', link }),
      broken: (link, reason) => this.links.abandon(link, reason),
    });
    this.runner = new CoreRunner({
      storage,
      tree: this.tree,
      links: this.links,
      electionNetwork: options.electionNetwork,
      snapshotReceiver: this.snapshotReceiver,
      log,
      host: {
        roleChanged: (change) => this.host.roleChanged(change),
        delivered: () => this.delivered(),
        leadershipConfirmed: (request) => {
          this.leaderRequests.leadershipConfirmed(request);
          this.readPoints.leadershipConfirmed(request);
        },
        halt: (reason) => this.host.halt(reason),
      },
    });
    this.broadcasts = new Broadcasts({
      role: () => this.standing,
      sendToLeader: (message) => this.standing.leader !== null && this.links.sendBulk(this.standing.leader, message),
      sendToFollowers: (message) => this.links.sendToAllBulk(message, null),
    });
    this.reports = new CheckpointReports(config.members.length);
    this.divergence = new DivergenceWatch({
      self: this.self,
      reports: this.reports,
      digestIntervalMs: config.timing.digestIntervalMs,
      leads: () => this.standing.role === 'leading' && this.standing.serving,
      proposeCheckpoint: () => {
        const deadlineMs = scheduler.nowMs() + limits.requestTimeoutMsDefault;
        this.host.submit({ command: { type: 'checkpoint' } }, deadlineMs, () => undefined);
      },
      error: (text, details) => log.error(text, details),
      undecided: () => this.ownAlarms.undecided(),
      diverged: (reason) => this.host.diverged(reason),
    });
    this.desk = this.createDesk();
    this.tree.onCheckpoint((result) => this.desk.report({ ...result, id: this.self }, null, this.standing.leader));
    this.housekeeping = new Housekeeping({
      tree: this.tree,
      logOf: () => storage.log,
      config,
      nowMs: () => scheduler.nowMs(),
      warn: (text) => log.warn(text),
      trimmed: (base) => this.runner.dispatch({ type: 'logTrimmed', base }),
      handOver: (reason) => this.runner.dispatch({ type: 'abdicate', reason }),
      flushed: () => {
        this.ownAlarms.measure();
        this.leaderRequests.schedule();
      },
    });
  }

  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void {
    if (zxid <= this.tree.appliedZxid) done(null);
    else this.waiters.add(zxid, deadlineMs, done);
  }

  leaderLost(): void {
    this.forwarder.leaderLost();
    this.broadcasts.leaderLost();
    this.readPoints.restart();
  }

  private createLinks(): PeerLinks {
    const { peerNetwork, scheduler, log, config } = this.options;
    return new PeerLinks({
      network: peerNetwork,
      group: groupZero,
      scheduler,
      log,
      queueBytesMax: config.limits.peerQueueBytesMax,
      host: {
        quorumOpened: (peer, link, outgoing) => {
          this.desk.learnAddress(peer, peerNetwork.requestAddressOf(peer));
          this.runner.dispatch({ type: 'connected', peer, link, outgoing });
        },
        quorumClosed: (peer, link) => {
          this.snapshotReceiver.linkClosed(link);
          this.runner.dispatch({ type: 'disconnected', peer, link });
        },
        quorumMessage: (peer, link, message) => this.runner.dispatch({ type: 'message', peer, link, message }),
        bulkOpened: (peer, link) => {
          this.desk.opened(peer, link);
          this.desk.learnAddress(peer, peerNetwork.requestAddressOf(peer));
          this.readPoints.restart();
          this.writes.retry();
        },
        bulkDrained: (link) => this.desk.drained(link),
        bulkClosed: (peer, link) => {
          this.desk.closed(peer, link);
          if (peer === this.standing.leader) this.leaderLost();
        },
        bulkMessage: (peer, link, message) => this.desk.received(peer, link, message),
        log: () => this.storage.log,
        sendSnapshot: (peer, done) => this.desk.snapshotDue(peer, done),
      },
    });
  }

  private createLeaderRequests(): LeaderRequests {
    return new LeaderRequests(
      {
        tree: this.tree,
        nextZxid: () => (this.standing.role === 'leading' ? this.runner.nextZxid() : null),
        batchesInFlight: () => this.runner.batchesInFlight(),
        propose: (batch) => this.runner.dispatch({ type: 'propose', batch }),
        requestConfirmation: () => this.requestConfirmation(),
        admit: (request) => this.lessor.admit(request),
        refusal: () => this.housekeeping.refusal(),
        defer: (task) => this.scheduler.defer(task),
      },
      this.options.config.limits,
    );
  }

  private createForwarder(): Forwarder {
    return new Forwarder(
      {
        sendToLeader: (message) => {
          const { leader } = this.standing;
          if (leader !== null) this.links.sendBulk(leader, message);
        },
        whenApplied: (result, request) => this.answerWhenApplied(result, request),
        nowMs: () => this.scheduler.nowMs(),
        defer: (task) => this.scheduler.defer(task),
      },
      this.options.config.limits,
    );
  }

  private createReadPoints(): ReadPoints {
    return new ReadPoints(
      {
        mode: () => this.route(),
        committedZxid: () => this.runner.committedZxid(),
        requestConfirmation: () => this.requestConfirmation(),
        askLeader: (id) => {
          const { leader } = this.standing;
          if (leader !== null) this.links.sendBulk(leader, { type: 'readPoint', id });
        },
        waitApplied: (zxid, deadlineMs, done) => this.waitApplied(zxid, deadlineMs, done),
        defer: (task) => this.scheduler.defer(task),
      },
      this.options.config.limits.prepareQueueMax,
    );
  }

  private createDesk(): BulkDesk {
    const { config, newEnsembleId, log } = this.options;
    const snapshotSender = new SnapshotSender(
      {
        tree: this.tree,
        ensembleId: () => this.storage.record.ensembleId ?? newEnsembleId,
        openImage: () => this.storage.store.image(),
        sendBulk: (link, message) => this.links.sendOnBulk(link, message),
        broken: (bulkLink, reason) => {
          log.warn('a snapshot transfer failed', { reason });
          this.links.dropPeerOfBulk(bulkLink, reason);
        },
      },
      config.limits.snapshotChunkBytes,
    );
    return new BulkDesk({
      scheduler: this.scheduler,
      links: this.links,
      leaderRequests: this.leaderRequests,
      forwarder: this.forwarder,
      answersUnsentBytesMax: config.limits.forwardedBytesMax,
      answerBytesMax: config.limits.transactionAnswerBytesMax,
      readPoints: this.readPoints,
      snapshotSender,
      snapshotReceiver: this.snapshotReceiver,
      broadcasts: this.broadcasts,
      reports: this.reports,
      reported: ({ zxid }) => this.divergence.reported(zxid),
      requestAddresses: this.requestAddresses,
      leads: () => this.standing.role === 'leading' && this.standing.serving,
      appliedZxid: () => this.tree.appliedZxid,
      readPointTimeoutMs: config.timing.syncLimitMs,
    });
  }

  private delivered(): void {
    const applied = this.tree.appliedZxid;
    this.leaderRequests.applied(applied);
    this.waiters.release(applied);
    this.housekeeping.applied();
  }

  private snapshotInstalled(link: number, zxid: Zxid, ensembleId: EnsembleId): void {
    this.runner.snapshotInstalled();
    this.options.log.info('installed a snapshot', { zxid: formatZxid(zxid) });
    this.runner.dispatch({ type: 'snapshotInstalled', link, zxid, ensembleId });
    this.waiters.release(this.tree.appliedZxid);
  }

  private route(): Route {
    const { role, serving, leader } = this.standing;
    if (!serving) return 'none';
    if (role === 'leading') return 'lead';
    return leader !== null && this.links.bulkLinkOf(leader) !== undefined ? 'follow' : 'none';
  }

  private requestConfirmation(): number {
    this.confirmation++;
    this.runner.dispatch({ type: 'confirmLeadership', request: this.confirmation });
    return this.confirmation;
  }

  private answerWhenApplied(result: CommandResult, request: PendingRequest): void {
    if (result.zxid <= this.tree.appliedZxid) {
      answer(request, result);
      return;
    }
    this.waitApplied(result.zxid, request.deadlineMs, (error) => {
      if (error === null) answer(request, result);
      else
        answer(
          request,
          failure('TIMEOUT', 'the write is committed, but this node has not applied it within the deadline'),
        );
    });
  }
}
