// One node of one Zab group: its start and its end, its clients' requests, and what another role means to its parts, which
// ensemble-parts.ts puts together.

import type { Bytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Epoch, ServerId, Zxid } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { Tree } from '../tree/tree.js';
import type { DurableState } from '../zab/events.js';
import { createZab } from '../zab/zab.js';
import { boundedLog } from './bounded-log.js';
import type { CheckpointReport } from './checkpoint-reports.js';
import type { EnsembleNode, MemberAddresses, NodeStatus } from './ensemble-node.js';
import type { EnsembleOptions, Standing } from './ensemble-options.js';
import { EnsembleParts } from './ensemble-parts.js';
import { loadLogTail } from './load-log-tail.js';
import { memberLog } from './member-log.js';
import type { NodeStorage, Scheduler } from './ports.js';
import type { ReadPoints } from './read-points.js';
import { answer, failure, type PendingRequest, type RequestCounts } from './request.js';
import type { WriteRouter } from './write-router.js';

/** Interval of deadline checks; deadlines are kept to this precision. */
const sweepMs = 50;

export class Ensemble implements EnsembleNode {
  readonly tree: Tree;
  private readonly options: EnsembleOptions;
  private readonly self: ServerId;
  private readonly scheduler: Scheduler;
  private readonly storage: NodeStorage;
  private readonly parts: EnsembleParts;
  private readonly writes: WriteRouter;
  private readonly readPoints: ReadPoints;
  /** Writes of this node's clients, and how often it learned of another leader; for the metrics. */
  readonly requests: RequestCounts = { pending: 0, failed: 0 };
  leaderChanges = 0;
  private lastLeader: ServerId | null = null;
  private stopped = false;
  private readonly timers: (() => void)[] = [];

  constructor(options: EnsembleOptions) {
    const { config, scheduler, storage } = options;
    this.options = { ...options, log: boundedLog(memberLog(options.log, config.members), scheduler) };
    this.self = config.self.id;
    this.scheduler = scheduler;
    this.storage = storage;
    this.parts = new EnsembleParts(this.options, {
      submit: (envelope, deadlineMs, done) => this.submit(envelope, deadlineMs, done),
      roleChanged: (change) => this.roleChanged(change),
      halt: (reason) => this.halt(reason),
      diverged: (reason) => this.diverged(reason),
    });
    this.tree = this.parts.tree;
    this.writes = this.parts.writes;
    this.readPoints = this.parts.readPoints;
  }

  /** Loads what the log holds beyond the tree, then takes part in the ensemble. */
  start(done: (error: Error | null) => void): void {
    this.storage.start({
      durable: (through) => this.parts.runner.dispatch({ type: 'logDurable', through }),
      failed: (error) => this.halt(`the commit log failed: ${error.message}`),
      pressure: (full) => this.parts.housekeeping.logPressure(full),
    });
    const { log, store } = this.storage;
    loadLogTail(
      log,
      store.meta.appliedZxid,
      (batch) => this.parts.runner.loaded(batch),
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
    this.parts.runner.stop();
    this.parts.links.stop();
    this.options.electionNetwork.close();
    this.parts.leaderRequests.leadershipLost();
    this.parts.forwarder.leaderLost();
    this.writes.stop();
    this.readPoints.expire(Number.POSITIVE_INFINITY);
    this.parts.waiters.expire(Number.POSITIVE_INFINITY);
  }

  submit(envelope: CommandEnvelope, deadlineMs: number, done: (result: CommandResult) => void): void {
    const request: PendingRequest = { envelope, deadlineMs, done, counts: this.requests, answered: false };
    this.requests.pending += 1;
    if (this.stopped) answer(request, failure('UNAVAILABLE', 'this node is stopping'));
    else this.writes.submit(request);
  }

  get epoch(): Epoch {
    return this.parts.standing.epoch;
  }

  readBarrier(deadlineMs: number, done: (error: StoreError | null) => void): void {
    if (this.stopped) done(new StoreError('UNAVAILABLE', 'this node is stopping'));
    else this.readPoints.request(deadlineMs, done);
  }

  waitApplied(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void {
    this.parts.waitApplied(zxid, deadlineMs, done);
  }

  broadcast(payload: Bytes, deadlineMs: number, done: (error: StoreError | null) => void): void {
    this.parts.broadcasts.send(payload, deadlineMs, done);
  }

  onBroadcast(listener: (payload: Bytes) => void): () => void {
    return this.parts.broadcasts.listen(listener);
  }

  status(): NodeStatus {
    const { config } = this.options;
    const members: MemberAddresses[] = config.members.map(({ id, electionAddr, messageAddr }) => ({
      id,
      electionAddr,
      messageAddr,
      requestAddr: this.parts.requestAddresses.get(id),
    }));
    const { role, epoch, leader, serving } = this.parts.standing;
    return {
      id: this.self,
      ensembleId: this.storage.record.ensembleId,
      role,
      epoch,
      leader,
      serving,
      zxid: this.tree.appliedZxid,
      revision: this.tree.revision,
      compactedRevision: this.tree.compactedRevision,
      members,
    };
  }

  digestAll(deadlineMs: number, done: (error: StoreError | null, results: readonly CheckpointReport[]) => void): void {
    this.submit({ command: { type: 'checkpoint' } }, deadlineMs, (result) => {
      if (result.code === 'OK') this.parts.reports.wait(result.zxid, deadlineMs, (reports) => done(null, reports));
      else done(new StoreError(result.code, result.message), []);
    });
  }

  private roleChanged(next: Standing): void {
    const previous = this.parts.standing;
    this.parts.standing = { role: next.role, epoch: next.epoch, leader: next.leader, serving: next.serving };
    this.parts.lessor.serves(next.role === 'leading' && next.serving);
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
      this.parts.runner.unstage();
      this.parts.leaderRequests.leadershipLost();
      this.parts.desk.leadershipLost();
    }
    if (previous.role === 'following' && (next.role !== 'following' || next.leader !== previous.leader))
      this.parts.leaderLost();
    this.readPoints.restart();
    this.writes.retry();
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
    this.parts.runner.start(
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
    this.parts.links.start();
    electionNetwork.start((from, message) => this.parts.runner.dispatch({ type: 'datagram', from, message }));
    const tick = (): void => this.parts.runner.dispatch({ type: 'tick', nowMs: this.scheduler.nowMs() });
    this.timers.push(this.scheduler.every(config.timing.tickMs, tick));
    this.timers.push(this.scheduler.every(sweepMs, () => this.sweep()));
    tick();
  }

  private sweep(): void {
    const { divergence, lessor, leaderRequests, forwarder, waiters, reports, broadcasts } = this.parts;
    const { housekeeping, ownAlarms, autoCompactor } = this.parts;
    const nowMs = this.scheduler.nowMs();
    divergence.tick(nowMs);
    lessor.tick(nowMs);
    leaderRequests.expire(nowMs);
    forwarder.expire(nowMs);
    this.readPoints.expire(nowMs);
    waiters.expire(nowMs);
    reports.expire(nowMs);
    broadcasts.expire(nowMs);
    this.writes.expire(nowMs);
    housekeeping.tick(nowMs);
    ownAlarms.tick(nowMs);
    autoCompactor.tick(nowMs);
    leaderRequests.schedule();
    this.writes.retry();
  }

  private diverged(reason: string): void {
    if (this.stopped) return;
    this.options.log.error(`this node stops: ${reason}`);
    this.stop();
    (this.options.onDivergence ?? this.options.onHalt)(reason);
  }

  private halt(reason: string): void {
    this.options.log.error(`this node stops: ${reason}`);
    this.stop();
    this.options.onHalt(reason);
  }
}
