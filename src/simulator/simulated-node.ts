// One simulated member: a disk that lives on, and a process that boots from it, crashes and boots again, running the
// production driver and core over simulated ports. Tells the checkers what its disk and its process do.

import type { NodeConfig } from '../config/node-config.js';
import { Ensemble } from '../ensemble/ensemble.js';
import type { NodeStorage } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import { type EnsembleId, formatZxid, type Zxid, zxidZero } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import { MemoryDisk } from '../storage/memory-disk.js';
import { openMemoryNodeStorage } from '../storage/memory-node-storage.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { EpochRecord } from '../zab/effects.js';
import type { Batch } from '../zab/messages.js';
import { blankRecord, type NodeView } from './checkers/ensemble-view.js';
import { cutHistoryHash, LogMirror } from './log-mirror.js';
import { ObservedStorage, type StorageObserver } from './observed-storage.js';
import type { RunPlan } from './run-plan.js';
import type { ReachableNode } from './simulated-client.js';
import { NodeScheduler } from './virtual-clock.js';
import type { World } from './world.js';

/** What dies in a crash. */
export type CrashKind = 'process' | 'machine';

/** Replaces a node's storage by one that misbehaves, so that a test can prove that the checkers notice. */
export type StorageMutation = (storage: NodeStorage, scheduler: NodeScheduler) => NodeStorage;

export class SimulatedNode {
  readonly view: NodeView;
  private readonly world: World;
  private readonly config: NodeConfig;
  private readonly random: SeededRandom;
  private readonly plan: RunPlan;
  private readonly mutation: StorageMutation | undefined;
  private readonly disk: MemoryDisk;
  private process:
    | { readonly scheduler: NodeScheduler; readonly storage: ObservedStorage; readonly ensemble: Ensemble }
    | undefined;
  private crashing = false;
  /** A truncation of the log that was begun: a crash may leave it done or not. */
  private cutting: Zxid | undefined;
  /** Disk work takes this many times longer. */
  slowness = 1;
  private failing = false;
  private stepsToCrash = 0;
  private crashNow: () => void = () => {};

  constructor(parts: {
    readonly world: World;
    readonly view: NodeView;
    readonly config: NodeConfig;
    readonly random: SeededRandom;
    readonly plan: RunPlan;
    readonly mutation: StorageMutation | undefined;
  }) {
    this.world = parts.world;
    this.view = parts.view;
    this.config = parts.config;
    this.random = parts.random;
    this.plan = parts.plan;
    this.mutation = parts.mutation;
    this.disk = this.newDisk();
  }

  get running(): boolean {
    return this.process !== undefined && !this.crashing;
  }

  get ensemble(): Ensemble | undefined {
    return this.process?.ensemble;
  }

  get reachable(): ReachableNode | undefined {
    return this.running ? this.process : undefined;
  }

  boot(): void {
    if (this.process !== undefined) return;
    const { world, view, plan } = this;
    const scheduler = new NodeScheduler(world.clock, view.index, plan.skews[view.index] ?? { originMs: 0, rate: 1 });
    const storage = new ObservedStorage(
      openMemoryNodeStorage({ disk: this.disk, serverId: view.serverId, scheduler }),
      this.observer(scheduler),
    );
    this.openView(storage);
    const { incarnation, boot } = storage;
    const ensemble = new Ensemble({
      config: this.config,
      scheduler,
      electionNetwork: world.election.bind(view.index, scheduler, { incarnation, boot }),
      peerNetwork: world.peers.bind(view.index, scheduler),
      storage: this.mutation?.(storage, scheduler) ?? storage,
      log: this.logger(),
      seed: this.random.nextUint32(),
      newEnsembleId: this.hexadecimal(32) as EnsembleId,
      onHalt: (reason) => this.halted(reason),
    });
    this.process = { scheduler, storage, ensemble };
    view.up = true;
    view.tree = ensemble.tree;
    view.applied = ensemble.tree.appliedZxid;
    world.say(view.index, `boots (${boot}) with ${view.log.describe()}, tree ${formatZxid(view.applied)}`);
    world.check((checker) => checker.booted?.(view));
    world.treeDue(view);
    scheduler.deliver(0, () => {
      ensemble.start((error) => {
        if (error !== null)
          world.view.violate('any crash point restarts', `node ${view.index} cannot start: ${error.message}`);
      });
    });
  }

  /** Ends the process at once. What it has under way goes nowhere; the disk keeps what it has synced. */
  crash(kind: CrashKind): void {
    const { process } = this;
    if (process === undefined || this.crashing) return;
    this.crashing = true;
    process.scheduler.kill();
    this.world.say(this.view.index, `crashes (${kind})`);
    // The call that is running goes on to its end without effect; then the rest of the process disappears.
    this.world.clock.after(0, () => this.bury(kind));
  }

  pause(durationMs: number): void {
    this.process?.scheduler.pause(durationMs);
  }

  /** Stands still, and its clock with it. */
  suspend(durationMs: number): void {
    this.process?.scheduler.suspend(durationMs);
  }

  jumpClock(forwardMs: number): void {
    this.process?.scheduler.jump(forwardMs);
  }

  get pausedUntilMs(): number {
    return this.process?.scheduler.pausedUntilMs ?? 0;
  }

  /** At this step of its disk operations, counted from now over restarts, `crashNow` is called; 0 = at none. */
  crashAtStep(steps: number, crashNow: () => void): void {
    this.stepsToCrash = steps;
    this.crashNow = crashNow;
  }

  /** Neither trees nor further log segments find room, or they do again. */
  setFull(full: boolean): void {
    this.disk.setFull(full);
  }

  /** The next write to the log or the manifest fails: the node has to stop. */
  failNextWrite(): void {
    if (!this.running) return;
    this.failing = true;
    this.disk.failNextWrite(new Error('input/output error'));
  }

  /** The process must be down. Everything on the disk is gone. */
  loseDisk(): void {
    assert(this.process === undefined, 'Cannot lose the disk of a running process');
    const { view } = this;
    this.world.say(view.index, 'loses its disk');
    view.lostLogs.push(view.log);
    view.log = new LogMirror();
    view.record = blankRecord;
    view.applied = zxidZero;
    this.disk.wipe();
    this.world.check((checker) => checker.diskLost?.(view));
  }

  /** After every task of this process: tells what its tree has applied since. */
  poll(): void {
    const { process, view } = this;
    if (process === undefined || this.crashing) return;
    const applied = process.ensemble.tree.appliedZxid;
    const previous = view.applied;
    if (applied === previous) return;
    view.applied = applied;
    this.world.check((checker) => checker.applied?.(view, previous));
  }

  private bury(kind: CrashKind): void {
    const { view, world } = this;
    this.process = undefined;
    this.crashing = false;
    view.up = false;
    view.serving = false;
    view.role = 'looking';
    view.tree = undefined;
    if (kind === 'process') world.peers.killProcess(view.index);
    else world.peers.killMachine(view.index);
    this.disk.crash();
    this.failing = false;
  }

  /** Brings the mirror of the disk in line with what the crash left. */
  private openView(storage: NodeStorage): void {
    const { view, world } = this;
    const { log, record } = storage;
    // The switch to a snapshot was on the disk when the process died, which never heard of it.
    if (log.base > view.log.base) this.installed(log.base, record);
    if (this.cutting !== undefined && log.last === this.cutting) view.log.truncate(this.cutting);
    this.cutting = undefined;
    if (log.last < view.log.durable) {
      world.view.violate(
        'a disk keeps what it synced',
        `node ${view.index}: log ends at ${formatZxid(log.last)}, ${view.log.describe()}`,
      );
    }
    view.log.truncate(log.last);
    view.log.durable = view.log.last;
    this.recordWritten(record);
  }

  private recordWritten(record: EpochRecord): void {
    const { view } = this;
    const previous = view.record;
    view.record = record;
    this.world.check((checker) => checker.persisted?.(view, previous));
  }

  private observer(scheduler: NodeScheduler): StorageObserver {
    const { view, world } = this;
    return {
      alive: () => scheduler.alive,
      crashPoint: () => {
        if (this.stepsToCrash === 0) return;
        this.stepsToCrash -= 1;
        if (this.stepsToCrash === 0) this.crashNow();
      },
      appending: (batch) => this.appending(batch),
      durable: (through) => {
        view.log.durable = through;
      },
      truncating: (to) => {
        world.say(view.index, `truncates its log to ${formatZxid(to)}`);
        world.check((checker) => checker.truncating?.(view, to));
        this.cutting = to;
      },
      truncated: (to) => {
        view.log.truncate(to);
        this.cutting = undefined;
      },
      persisted: (record) => {
        world.say(
          view.index,
          `wrote accepted ${record.acceptedEpoch}, current ${record.currentEpoch}${record.probation ? ', probation' : ''}`,
        );
        this.recordWritten(record);
      },
      installed: (zxid, record) => this.installed(zxid, record),
      trimmed: (base) => view.log.trim(base),
    };
  }

  private appending(batch: Batch): void {
    const { view, world } = this;
    world.check((checker) => checker.appending?.(view, batch));
    const { historyHash } = view.log.append({ ...batch, body: batch.body.slice() }, world.histories.get(batch.last));
    if (!world.histories.has(batch.last)) world.histories.set(batch.last, historyHash);
    world.trace.number(historyHash);
    if (world.trace.verbose) world.say(view.index, `appends ${formatZxid(batch.first)}..${formatZxid(batch.last)}`);
  }

  private installed(zxid: Zxid, record: EpochRecord): void {
    const { view, world } = this;
    world.say(view.index, `installs a snapshot at ${formatZxid(zxid)}`);
    world.check((checker) => checker.installing?.(view, zxid));
    view.log.rebase(zxid, world.view.ledger.hashAt(zxid) ?? cutHistoryHash);
    this.recordWritten(record);
    world.treeDue(view);
  }

  private logger(): ConstructorParameters<typeof Ensemble>[0]['log'] {
    const say = (text: string, details?: Readonly<Record<string, unknown>>): void => {
      if (text.startsWith('this node is')) this.roleMayHaveChanged();
      if (this.world.trace.verbose)
        this.world.say(this.view.index, `log: ${text}${details === undefined ? '' : ` ${JSON.stringify(details)}`}`);
    };
    return { info: say, warn: say, error: say };
  }

  private roleMayHaveChanged(): void {
    const { process, view } = this;
    if (process === undefined || this.crashing) return;
    const { role, epoch, leader, serving } = process.ensemble.status();
    view.role = role;
    view.epoch = epoch;
    view.leader = leader;
    view.serving = serving;
    this.world.trace.number(
      view.index * 8 + (serving ? 4 : 0) + (role === 'leading' ? 2 : role === 'following' ? 1 : 0),
    );
    this.world.check((checker) => checker.roleChanged?.(view));
  }

  private halted(reason: string): void {
    if (!this.failing)
      this.world.view.violate('nobody stops without a reason', `node ${this.view.index} halted: ${reason}`);
    this.crash('process');
    this.world.restartLater(this);
  }

  private newDisk(): MemoryDisk {
    const { random } = this;
    const delayMs = (): number => this.diskDelayMs();
    const trees = new MemoryTreeDisk({
      // Of whatever process runs at the time: the disk outlives each of them.
      scheduler: {
        defer: (task) => this.process?.scheduler.defer(task),
        after: (milliseconds, task) => this.process?.scheduler.after(milliseconds, task) ?? (() => {}),
      },
      delayMs,
      fault: () => (this.disk.full ? Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }) : null),
      flushSurvives: () => random.chance(0.5),
    });
    return new MemoryDisk({ random, trees, delayMs, logSegmentBytes: this.plan.limits.logSegmentBytes });
  }

  private diskDelayMs(): number {
    const { delayMinMs, delayJitterMs, spikeChance, spikeMs } = this.plan.disk;
    const spike = spikeChance > 0 && this.random.chance(spikeChance) ? this.random.next() * spikeMs : 0;
    return (delayMinMs + this.random.next() * delayJitterMs + spike) * this.slowness;
  }

  private hexadecimal(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.random.nextUint32().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }
}
