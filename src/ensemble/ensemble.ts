// One node of one Zab group, put together: the core with its runner, requests, reads, snapshots, links. Here a request
// finds its way: executed by a leader, forwarded by a follower, parked while there is no leader.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import { type EnsembleId, formatZxid, groupZero, type ServerId, type Zxid } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import { Tree } from '../tree/tree.js';
import type { DurableState } from '../zab/events.js';
import { createZab } from '../zab/zab.js';
import { boundedLog } from './bounded-log.js';
import { Broadcasts } from './broadcasts.js';
import { BulkDesk } from './bulk-desk.js';
import { type CheckpointReport, CheckpointReports } from './checkpoint-reports.js';
import { CoreRunner } from './core-runner.js';
import { DivergenceWatch } from './divergence-watch.js';
import type { EnsembleNode, MemberAddresses, NodeStatus } from './ensemble-node.js';
import type { EnsembleOptions, Standing } from './ensemble-options.js';
import { Forwarder } from './forwarding.js';
import { Housekeeping } from './housekeeping.js';
import { LeaderRequests } from './leader-requests.js';
import { leasePortOf } from './lease-port.js';
import { Lessor } from './lessor.js';
import { loadLogTail } from './load-log-tail.js';
import { memberLog } from './member-log.js';
import { OwnAlarms } from './own-alarms.js';
import { PeerLinks } from './peer-links.js';
import type { NodeStorage, Scheduler } from './ports.js';
import { ReadPoints } from './read-points.js';
import { answer, failure, type PendingRequest, type RequestCounts } from './request.js';
import { SnapshotReceiver } from './snapshot-receiver.js';
import { SnapshotSender } from './snapshot-sender.js';
import { type Route, WriteRouter } from './write-router.js';
import { ZxidWaiters } from './zxid-waiters.js';

/** Interval of deadline checks; deadlines are kept to this precision. */
const sweepMs = 50;

export class Ensemble implements EnsembleNode {
  readonly tree: Tree;
  private readonly options: EnsembleOptions;
  private readonly self: ServerId;
  private readonly scheduler: Scheduler;
  private readonly storage: NodeStorage;
  private readonly links: PeerLinks;
  private readonly runner: CoreRunner;
  private readonly desk: BulkDesk;
  private readonly leaderRequests: LeaderRequests;
  private readonly lessor: Lessor;
  private readonly forwarder: Forwarder;
  private readonly writes: WriteRouter;
  private readonly readPoints: ReadPoints;
  private readonly waiters = new ZxidWaiters();
  private readonly snapshotReceiver: SnapshotReceiver;
  private readonly broadcasts: Broadcasts;
  private readonly reports: CheckpointReports;
  private readonly divergence: DivergenceWatch;
  private readonly housekeeping: Housekeeping;
  private readonly ownAlarms: OwnAlarms;
  private readonly requestAddresses = new Map<ServerId, string>();
  private standing: Standing;
  /** Writes of this node's clients, and how often it learned of another leader; for the metrics. */
  readonly requests: RequestCounts = { pending: 0, failed: 0 };
  leaderChanges = 0;
  private lastLeader: ServerId | null = null;
  private confirmation = 0;
  private stopped = false;
  private readonly timers: (() => void)[] = [];

  constructor(options: EnsembleOptions) {
    const { config, scheduler, storage } = options;
    const { limits } = config;
    const log = boundedLog(memberLog(options.log, config.members), scheduler);
    this.options = { ...options, log };
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
        this.submit({ command }, deadlineMs, ({ code }) => done(code === 'OK'));
      },
      warn: (text, details) => log.warn(text, details),
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
        roleChanged: (change) => this.roleChanged(change),
        delivered: () => this.delivered(),
        leadershipConfirmed: (request) => {
          this.leaderRequests.leadershipConfirmed(request);
          this.readPoints.leadershipConfirmed(request);
        },
        halt: (reason) => this.halt(reason),
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
        this.submit({ command: { type: 'checkpoint' } }, deadlineMs, () => undefined);
      },
      error: (text, details) => log.error(text, details),
      undecided: () => this.ownAlarms.undecided(),
      diverged: (reason) => this.diverged(reason),
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

  /** Loads what the log holds beyond the tree, then takes part in the ensemble. */
  start(done: (error: Error | null) => void): void {
    this.storage.start({
      durable: (through) => this.runner.dispatch({ type: 'logDurable', through }),
      failed: (error) => this.halt(`the commit log failed: ${error.message}`),
      pressure: (full) => this.housekeeping.logPressure(full),
    });
    const { log, store } = this.storage;
    loadLogTail(
      log,
      store.meta.appliedZxid,
      (batch) => this.runner.loaded(batch),
      (error) => {
        if (error === null && !this.stopped) this.join();
        done(error);
      },
    );
  }

  /** Leaves the ensemble without ceremony: what is not answered yet is answered with a failure. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    for (const cancel of this.timers) cancel();
    this.runner.stop();
    this.links.stop();
    this.options.electionNetwork.close();
    this.leaderRequests.leadershipLost();
    this.forwarder.leaderLost();
    this.writes.stop();
    this.readPoints.expire(Number.POSITIVE_INFINITY);
    this.waiters.expire(Number.POSITIVE_INFINITY);
  }

  submit(envelope: CommandEnvelope, deadlineMs: number, done: (result: CommandResult) => void): void {
    const request: PendingRequest = { envelope, deadlineMs, done, counts: this.requests, answered: false };
    this.requests.pending += 1;
    if (this.stopped) answer(request, failure('UNAVAILABLE', 'this node is stopping'));
    else this.writes.submit(request);
  }

  readBarrier(deadlineMs: number, done: (error: StoreError | null) => void): void {
    if (this.stopped) done(new StoreError('UNAVAILABLE', 'this node is stopping'));
    else this.readPoints.request(deadlineMs, done);
  }

  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void {
    if (zxid <= this.tree.appliedZxid) done(null);
    else this.waiters.add(zxid, deadlineMs, done);
  }

  broadcast(payload: Bytes, deadlineMs: number, done: (error: StoreError | null) => void): void {
    this.broadcasts.send(payload, deadlineMs, done);
  }

  onBroadcast(listener: (payload: Bytes) => void): () => void {
    return this.broadcasts.listen(listener);
  }

  status(): NodeStatus {
    const { config } = this.options;
    const members: MemberAddresses[] = config.members.map(({ id, electionAddr, messageAddr }) => ({
      id,
      electionAddr,
      messageAddr,
      requestAddr: this.requestAddresses.get(id),
    }));
    return {
      id: this.self,
      ensembleId: this.storage.record.ensembleId,
      role: this.standing.role,
      epoch: this.standing.epoch,
      leader: this.standing.leader,
      serving: this.standing.serving,
      zxid: this.tree.appliedZxid,
      revision: this.tree.revision,
      compactedRevision: this.tree.compactedRevision,
      members,
    };
  }

  digestAll(deadlineMs: number, done: (error: StoreError | null, results: readonly CheckpointReport[]) => void): void {
    this.submit({ command: { type: 'checkpoint' } }, deadlineMs, (result) => {
      if (result.code === 'OK') this.reports.wait(result.zxid, deadlineMs, (reports) => done(null, reports));
      else done(new StoreError(result.code, result.message), []);
    });
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

  private roleChanged(next: Standing): void {
    const previous = this.standing;
    this.standing = { role: next.role, epoch: next.epoch, leader: next.leader, serving: next.serving };
    this.lessor.serves(next.role === 'leading' && next.serving);
    if (next.leader !== null && next.leader !== this.lastLeader) {
      this.lastLeader = next.leader;
      this.leaderChanges += 1;
    }
    this.options.onRoleChanged?.();
    this.options.log.info(`this node is ${next.role}`, {
      epoch: next.epoch,
      leader: next.leader,
      serving: next.serving,
    });
    if (previous.role === 'leading' && next.role !== 'leading') {
      this.runner.unstage();
      this.leaderRequests.leadershipLost();
      this.desk.leadershipLost();
    }
    if (previous.role === 'following' && (next.role !== 'following' || next.leader !== previous.leader))
      this.leaderLost();
    this.readPoints.restart();
    this.writes.retry();
  }

  private leaderLost(): void {
    this.forwarder.leaderLost();
    this.broadcasts.leaderLost();
    this.readPoints.restart();
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
    this.waitApplied(result.zxid, request.deadlineMs, (error) => {
      if (error === null) answer(request, result);
      else
        answer(
          request,
          failure('TIMEOUT', 'the write is committed, but this node has not applied it within the deadline'),
        );
    });
  }

  private snapshotInstalled(link: number, zxid: Zxid, ensembleId: EnsembleId): void {
    this.runner.snapshotInstalled();
    this.options.log.info('installed a snapshot', { zxid: formatZxid(zxid) });
    this.runner.dispatch({ type: 'snapshotInstalled', link, zxid, ensembleId });
    this.waiters.release(this.tree.appliedZxid);
  }

  private join(): void {
    const { config, seed, newEnsembleId, electionNetwork } = this.options;
    const { record, log, store } = this.storage;
    const durable: DurableState = {
      ...record,
      logBase: log.base,
      lastZxid: log.last,
      epochEnds: log.epochEnds(),
      applied: store.meta.appliedZxid,
    };
    const members = config.members.map(({ id }) => id);
    const nowMs = this.scheduler.nowMs();
    this.runner.start(
      createZab({
        self: this.self,
        members,
        seed,
        nowMs,
        timing: config.timing,
        bootstrap: config.bootstrap,
        durable,
        newEnsembleId,
      }),
    );
    this.links.start();
    electionNetwork.start((from, message) => this.runner.dispatch({ type: 'datagram', from, message }));
    const tick = (): void => this.runner.dispatch({ type: 'tick', nowMs: this.scheduler.nowMs() });
    this.timers.push(this.scheduler.every(config.timing.tickMs, tick));
    this.timers.push(this.scheduler.every(sweepMs, () => this.sweep()));
    tick();
  }

  private diverged(reason: string): void {
    if (this.stopped) return;
    this.options.log.error(`this node stops: ${reason}`);
    this.stop();
    (this.options.onDivergence ?? this.options.onHalt)(reason);
  }

  private sweep(): void {
    const nowMs = this.scheduler.nowMs();
    this.divergence.tick(nowMs);
    this.lessor.tick(nowMs);
    this.leaderRequests.expire(nowMs);
    this.forwarder.expire(nowMs);
    this.readPoints.expire(nowMs);
    this.waiters.expire(nowMs);
    this.reports.expire(nowMs);
    this.broadcasts.expire(nowMs);
    this.writes.expire(nowMs);
    this.housekeeping.tick(nowMs);
    this.ownAlarms.tick(nowMs);
    this.leaderRequests.schedule();
    this.writes.retry();
  }

  private halt(reason: string): void {
    this.options.log.error(`this node stops: ${reason}`);
    this.stop();
    this.options.onHalt(reason);
  }
}
