// One simulated member: a disk that lives on, and a process that boots from it, crashes and boots again, running the
// production driver and core over simulated ports. Tells the checkers what its process does, as disk-witness.ts does of the
// disk.

import type { NodeConfig } from '../config/node-config.js';
import { Ensemble } from '../ensemble/ensemble.js';
import type { NodeStorage } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import { type EnsembleId, formatZxid, zxidZero } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import { decodeManifest, manifestFileName } from '../storage/manifest.js';
import { claimDirectory, type NodeStorageOptions, openNodeStorage } from '../storage/node-storage.js';
import { seedDirectory } from '../storage/seeded-directory.js';
import { rotFile, rotLog } from './bit-rot.js';
import { blankRecord, type NodeView } from './checkers/ensemble-view.js';
import { DiskWitness } from './disk-witness.js';
import { LogMirror } from './log-mirror.js';
import { type CrashKind, MachineDisk } from './machine-disk.js';
import { ObservedStorage } from './observed-storage.js';
import { fillTree, type RestoredSnapshot } from './restored-snapshot.js';
import type { RunPlan } from './run-plan.js';
import type { ReachableNode } from './simulated-client.js';
import { simulatedRuntime } from './simulated-storage-runtime.js';
import { NodeScheduler } from './virtual-clock.js';
import type { World } from './world.js';

/** What bits of a disk can rot. */
export type Rotting = 'log' | 'manifest';

const dataDirectory = '/data';
/** Between attempts to get space on a full disk. */
const fullDiskRetryMs = 20;

interface Process {
  readonly scheduler: NodeScheduler;
  /** Once storage is open. */
  running:
    | { readonly scheduler: NodeScheduler; readonly storage: ObservedStorage; readonly ensemble: Ensemble }
    | undefined;
}

/** Replaces a node's storage by one that misbehaves, so that a test can prove that the checkers notice. */
export type StorageMutation = (storage: NodeStorage, scheduler: NodeScheduler) => NodeStorage;

export class SimulatedNode {
  readonly view: NodeView;
  private readonly world: World;
  private readonly config: NodeConfig;
  private readonly random: SeededRandom;
  private readonly plan: RunPlan;
  private readonly mutation: StorageMutation | undefined;
  readonly disk: MachineDisk;
  private readonly witness: DiskWitness;
  private process: Process | undefined;
  private crashing = false;
  private failing = false;
  private rotten = false;

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
    this.disk = new MachineDisk({
      world: this.world,
      random: this.random,
      speed: this.plan.disk,
      scheduler: () => this.process?.scheduler,
    });
    this.witness = new DiskWitness(this.world, this.view, () => this.disk.step());
  }

  /** It has opened its disk and takes part. */
  get running(): boolean {
    return this.process?.running !== undefined && !this.crashing;
  }

  /** There is no process, not even one that starts or dies. */
  get down(): boolean {
    return this.process === undefined;
  }

  /** Its disk has been damaged and the node may not have noticed yet: no other disk may be lost meanwhile. */
  get damaged(): boolean {
    return this.rotten;
  }

  get ensemble(): Ensemble | undefined {
    return this.process?.running?.ensemble;
  }

  get reachable(): ReachableNode | undefined {
    return this.running ? this.process?.running : undefined;
  }

  /** Before it ever boots: fills its data directory with a snapshot, as an operator would. The ledger has it already. */
  restore(snapshot: RestoredSnapshot, done: () => void): void {
    const { view, world } = this;
    const { scheduler } = this.begin();
    const options = this.directoryOptions(scheduler);
    const { seed } = snapshot;
    const restoring = async (): Promise<void> => {
      const claim = await claimDirectory(options.directory, options.runtime);
      await seedDirectory(options, seed, (store) => fillTree(store, snapshot, this.random));
      await claim.release();
    };
    restoring().then(
      () =>
        scheduler.defer(() => {
          scheduler.kill();
          this.process = undefined;
          view.log.rebase(seed, world.view.ledger.lastHash);
          view.record = { ...blankRecord, seed };
          view.applied = seed;
          world.say(view.index, `is restored at ${formatZxid(seed)}`);
          done();
        }),
      (error: unknown) =>
        world.view.violate('no assertion fails', `node ${view.index} cannot be restored: ${String(error)}`),
    );
    world.clock.promisesDue();
  }

  boot(): void {
    if (this.process !== undefined) return;
    const process = this.begin();
    const { scheduler } = process;
    openNodeStorage(this.directoryOptions(scheduler)).then(
      (storage) => scheduler.defer(() => this.opened(process, storage)),
      (error: unknown) => scheduler.defer(() => this.refused(error)),
    );
    this.world.clock.promisesDue();
  }

  private begin(): Process {
    const { plan, view, world } = this;
    const scheduler = new NodeScheduler(world.clock, view.index, plan.skews[view.index] ?? { originMs: 0, rate: 1 });
    const process = { scheduler, running: undefined };
    this.process = process;
    return process;
  }

  private directoryOptions(scheduler: NodeScheduler): NodeStorageOptions {
    const { plan, view, world } = this;
    const promisesDue = (): void => world.clock.promisesDue();
    return {
      runtime: simulatedRuntime({ disk: this.disk.files, scheduler, random: this.random, promisesDue }),
      directory: dataDirectory,
      serverId: view.serverId,
      treeStores: this.disk.trees,
      segmentBytes: plan.limits.logSegmentBytes,
      fullDiskRetryMs,
      warn: (text) => world.say(view.index, text),
    };
  }

  private opened(process: Process, opened: NodeStorage): void {
    const { world, view } = this;
    const { scheduler } = process;
    this.rotten = false;
    const storage = new ObservedStorage(opened, this.witness.observer(scheduler));
    this.witness.opened(storage);
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
      onRoleChanged: () => this.roleChanged(),
      onHalt: (reason) => this.halted(reason),
    });
    process.running = { scheduler, storage, ensemble };
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

  /** The process ends without having opened its disk: right for one that is damaged, full or failing, and only then. */
  private refused(error: unknown): void {
    const { world, view } = this;
    const disk = this.disk.files;
    const reason = error instanceof Error ? error.message : String(error);
    world.say(view.index, `does not start: ${reason}`);
    const excused = this.rotten || disk.full || disk.failures > 0;
    if (!excused) world.view.violate('any crash point restarts', `node ${view.index} cannot start: ${reason}`);
    const lost = this.rotten && !disk.full && disk.failures === 0;
    this.crash('process');
    world.clock.after(0, () => {
      // Whoever runs the node gives it an empty disk: what was on this one is as good as lost.
      if (lost) this.loseDisk();
      world.restartLater(this);
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
    this.world.view.clockJumps.push(this.world.clock.nowMs());
    this.process?.scheduler.jump(forwardMs);
  }

  get pausedUntilMs(): number {
    return this.process?.scheduler.pausedUntilMs ?? 0;
  }

  /** Neither trees nor further log segments find room, or they do again. */
  setFull(full: boolean): void {
    this.disk.files.full = full;
  }

  /** While stalled, nothing that the disk was asked for comes to an end. */
  setStalled(stalled: boolean): void {
    this.disk.files.setStalled(stalled);
  }

  /** The next write to any file fails: the node has to stop. */
  failNextWrite(): void {
    if (this.down) return;
    this.failing = true;
    this.disk.files.failNextWrite();
  }

  /** What is to be made durable next is not, though it can be read as if: the node has to stop. */
  failNextSync(): void {
    if (this.down) return;
    this.failing = true;
    this.disk.files.failNextSync();
  }

  /** The process must be down. Flips a bit that the next boot has to notice; false when there is none. */
  rot(what: Rotting): boolean {
    assert(this.down, 'Cannot damage the disk of a running process');
    const { disk, random, view } = this;
    const struck =
      what === 'log' ? this.rotLiveLog() : rotFile(disk.files, `${dataDirectory}/${manifestFileName}`, random);
    if (struck) {
      this.rotten = true;
      this.world.say(view.index, `has a bit of its ${what} flipped`);
    }
    return struck;
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
    this.rotten = false;
    this.disk.wipe();
    this.world.check((checker) => checker.diskLost?.(view));
  }

  /** After every task of this process: tells what its tree has applied since. */
  poll(): void {
    const { view } = this;
    const running = this.process?.running;
    if (running === undefined || this.crashing) return;
    const applied = running.ensemble.tree.appliedZxid;
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
    view.failed = false;
    view.role = 'looking';
    view.tree = undefined;
    if (kind === 'process') world.peers.killProcess(view.index);
    else world.peers.killMachine(view.index);
    this.disk.crash(kind);
    this.failing = false;
  }

  private logger(): ConstructorParameters<typeof Ensemble>[0]['log'] {
    const say = (text: string, details?: Readonly<Record<string, unknown>>): void => {
      if (this.world.trace.verbose)
        this.world.say(this.view.index, `log: ${text}${details === undefined ? '' : ` ${JSON.stringify(details)}`}`);
    };
    return { info: say, warn: say, error: say };
  }

  private roleChanged(): void {
    const { view } = this;
    const running = this.process?.running;
    if (running === undefined || this.crashing) return;
    const { role, epoch, leader, serving } = running.ensemble.status();
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

  private rotLiveLog(): boolean {
    const manifest = this.disk.files.find(`${dataDirectory}/${manifestFileName}`);
    // One that is damaged already has no log to speak of.
    if (manifest?.type !== 'file' || this.rotten) return false;
    return rotLog(this.disk.files, `${dataDirectory}/${decodeManifest(manifest.text()).log}`, this.random);
  }

  private hexadecimal(digits: number): string {
    let text = '';
    while (text.length < digits) text += this.random.nextUint32().toString(16).padStart(8, '0');
    return text.slice(0, digits);
  }
}
