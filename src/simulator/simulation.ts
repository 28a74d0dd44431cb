// One run of a simulated ensemble, decided by its seed alone: first faults strike while clients work and every step is
// checked, then all is healed and progress is demanded, at last the end state and what clients saw are judged.

import { nodeConfigOf } from '../config/node-config.js';
import type { ClientId } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { bytesOf } from './byte-text.js';
import { excess } from './checkers/boundedness.js';
import { checkCalls } from './checkers/call-checks.js';
import { checkClients } from './checkers/client-checks.js';
import type { Violation } from './checkers/ensemble-view.js';
import { checkTreeContent, checkTreeHistory } from './checkers/tree-content.js';
import { checkWatch, isCaughtUp } from './checkers/watch-order.js';
import { Checkpoints } from './checkpoints.js';
import { ClientHistory } from './client-history.js';
import { Compactions } from './compactions.js';
import { catchUpBoundMs, Demands, isLed, isQuorumLed } from './demands.js';
import { FaultInjector } from './fault-injector.js';
import { drawSchedule, type FaultEvent } from './fault-schedule.js';
import { drawSnapshot } from './restored-snapshot.js';
import { drawPlan, type FaultKind, type FaultOptions, type RunPlan } from './run-plan.js';
import { type ClientWorld, SimulatedClient } from './simulated-client.js';
import { SimulatedHolder } from './simulated-holder.js';
import { SimulatedNode, type StorageMutation } from './simulated-node.js';
import { SimulatedWatcher } from './simulated-watcher.js';
import { World } from './world.js';

export interface SimulationOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Length of the phase with faults, virtual time. */
  readonly durationMs: number;
  readonly faults?: FaultOptions;
  /** Keeps lines for a report; a run with the same seed is the same run with and without. */
  readonly verbose?: boolean;
  /** Fewer of them than drawn. */
  readonly clientsMax?: number;
  readonly watchersMax?: number;
  /** Puts something broken between driver and disk, to prove that it is noticed. */
  readonly mutation?: StorageMutation;
}

export interface SimulationResult {
  readonly seed: number;
  readonly nodes: number;
  /** Over everything that happened: equal for equal seeds. */
  readonly hash: string;
  /** Virtual time that passed. */
  readonly virtualMs: number;
  /** Tasks of the virtual clock. */
  readonly events: number;
  /** Client operations with an answer, and all that were begun. */
  readonly answered: number;
  readonly operations: number;
  /** Committed entries. */
  readonly entries: number;
  readonly epochs: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** The faults that were allowed to strike. */
  readonly schedule: readonly FaultEvent[];
  readonly violations: readonly Violation[];
  /** The lines of a verbose run, the last some thousands of them. */
  readonly trace: readonly string[];
}

/** After everything is healed, a leader must serve with all members behind it within this. */
const livenessBoundMs = 10_000;
/** A leader begins epochs for others' sake at intervals that double, up to 320 times syncLimit. */
const countedBoundMs = 180_000;
/** After clients stop, everything under way must be answered within this. */
const quietBoundMs = 10_000;
/** After nobody renews leases any more, all have ended within this: the longest time to live, twice, and some. */
const leasesEndBoundMs = 20_000;

export function runSimulation(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  private readonly options: SimulationOptions;
  private readonly plan: RunPlan;
  private readonly world: World;
  private readonly demands: Demands;
  private readonly nodes: readonly SimulatedNode[];
  private readonly schedule: readonly FaultEvent[];
  private readonly faults: FaultInjector;
  private readonly history = new ClientHistory();
  private readonly clients: readonly SimulatedClient[];
  private readonly holders: readonly SimulatedHolder[];
  private readonly watchers: readonly SimulatedWatcher[];
  private readonly random: SeededRandom;
  private readonly checkpoints: Checkpoints;
  private readonly compactions: Compactions;

  constructor(options: SimulationOptions) {
    this.options = options;
    const root = new SeededRandom(options.seed);
    const fork = (): SeededRandom => new SeededRandom(root.nextUint32() * 2 ** 21 + root.below(2 ** 21));
    this.plan = drawPlan(fork(), options.nodes, options.faults ?? {});
    this.random = fork();
    const members = Array.from({ length: options.nodes }, (_, index) => ({
      electionAddr: `node${index}:1`,
      messageAddr: `node${index}:2`,
    }));
    const configs = members.map((self, index) =>
      nodeConfigOf({
        self,
        peers: members.filter((other) => other !== self),
        requestAddr: `node${index}:3`,
        timing: this.plan.timing,
        limits: this.plan.limits,
      }),
    );
    this.world = new World({
      serverIds: configs.map((config) => config.self.id),
      plan: this.plan,
      random: fork(),
      verbose: options.verbose ?? false,
    });
    this.demands = new Demands(this.world);
    this.nodes = configs.map(
      (config, index) =>
        new SimulatedNode({
          world: this.world,
          view: this.world.view.node(index),
          config,
          random: fork(),
          plan: this.plan,
          mutation: options.mutation,
        }),
    );
    const schedule = drawSchedule(fork(), {
      kinds: this.plan.faults,
      fromMs: this.plan.faultsFromMs,
      untilMs: options.durationMs,
      everyMs: this.plan.faultEveryMs,
      longChance: this.plan.longFaultChance,
    });
    const only = options.faults?.only;
    this.schedule = only === undefined ? schedule : schedule.filter(({ index }) => only.includes(index));
    this.faults = new FaultInjector(this.world, this.nodes, this.plan, this.schedule);
    const clientWorld: ClientWorld = {
      clock: this.world.clock,
      view: this.world.view,
      history: this.history,
      trace: this.world.trace,
      nodes: options.nodes,
      reach: (node) => this.nodes[node]?.reachable,
    };
    // All of them take their share of randomness, so that the ones that are kept do the same without the others.
    this.clients = Array.from(
      { length: this.plan.clients },
      (_, index) => new SimulatedClient(clientWorld, (1000 + index) as ClientId, this.plan.client, fork()),
    ).slice(0, options.clientsMax);
    this.watchers = Array.from({ length: this.plan.watchers }, (_, index) => {
      const request =
        index === 0
          ? { from: new Uint8Array(0), to: undefined, single: false }
          : { from: bytesOf('k0'), to: undefined, single: true };
      return new SimulatedWatcher(clientWorld, request, fork());
    }).slice(0, options.watchersMax);
    this.compactions = new Compactions(
      this.world.clock,
      { nodes: options.nodes, reach: clientWorld.reach, everyMs: this.plan.compactEveryMs },
      this.random,
    );
    this.checkpoints = new Checkpoints(this.world, clientWorld.reach, fork());
    this.holders = Array.from(
      { length: this.plan.holders },
      (_, index) => new SimulatedHolder(clientWorld, (2000 + index) as ClientId, this.plan.client, fork()),
    ).slice(0, options.clientsMax);
    this.world.view.moment = () => this.history.now;
    this.observe();
  }

  async run(): Promise<SimulationResult> {
    // Nobody has handled it, as nobody would in a real process, which ends of it.
    const rejected = (error: unknown): void => {
      this.world.view.violate(
        'no assertion fails',
        error instanceof Error ? (error.stack ?? error.message) : String(error),
      );
    };
    process.on('unhandledRejection', rejected);
    try {
      return await this.play();
    } finally {
      process.off('unhandledRejection', rejected);
    }
  }

  private async play(): Promise<SimulationResult> {
    await this.restore();
    for (const node of this.nodes) this.world.clock.after(this.random.next() * 200, () => node.boot());
    for (const client of this.clients) client.start();
    for (const watcher of this.watchers) watcher.start();
    for (const holder of this.holders) holder.start();
    this.compactions.start();
    this.checkpoints.start();
    this.faults.start();
    await this.demands.advance(this.options.durationMs);
    if (this.plan.quorumFirst) await this.proveQuorum();
    this.faults.heal();
    this.compactions.stop();
    this.checkpoints.stop();
    await this.pausesOver();
    await this.demandProgress();
    await this.demands.that('everybody counts again', countedBoundMs, () => this.demands.settled());
    this.stopClients();
    await this.demands.that('leases end', leasesEndBoundMs, () => this.leasesEnded());
    await this.demands.that('every request is answered', quietBoundMs, () => this.quiet());
    await this.compareDigests();
    await this.demands.that(
      'log and memory stay bounded',
      quietBoundMs,
      () => this.excess() === undefined,
      () => this.excess(),
    );
    if (!this.demands.broken) this.judge();
    return this.result();
  }

  /** Nothing else happens meanwhile. */
  private async restore(): Promise<void> {
    const { restored } = this.plan;
    if (restored.length === 0) return;
    const snapshot = drawSnapshot(this.random);
    this.world.view.ledger.restore(snapshot.seed, snapshot.entries);
    let left = restored.length;
    for (const index of restored) {
      this.nodes[index]?.restore(snapshot, () => {
        left -= 1;
      });
    }
    while (left > 0 && !this.demands.broken) await this.demands.advance(1);
  }

  /**
   * Everybody follows one leader. Beside the load, mostly; but the load may be more than the slowest disk takes, and then
   * that member has to come in once the clients are silent.
   */
  private async demandProgress(): Promise<void> {
    const { clock, view } = this.world;
    const { nodes } = view;
    const silentFromMs = clock.nowMs() + catchUpBoundMs / 2;
    const isLedOrLate = (): boolean => isLed(nodes) || (clock.nowMs() >= silentFromMs && isQuorumLed(nodes));
    await this.demands.that(
      'progress after healing',
      livenessBoundMs,
      isLedOrLate,
      undefined,
      this.demands.catchesUp(),
    );
    if (isLed(nodes)) return;
    this.stopClients();
    await this.demands.that(
      'progress after healing',
      livenessBoundMs,
      () => isLed(nodes),
      undefined,
      this.demands.catchesUp(),
    );
  }

  private stopClients(): void {
    for (const client of [...this.clients, ...this.holders]) client.stop();
  }

  /** While the other members stay away, a healed quorum elects, synchronizes and answers a write. */
  private async proveQuorum(): Promise<void> {
    const quorum = this.faults.healQuorum(this.random);
    if (quorum === undefined) return;
    await this.pausesOver();
    const names = quorum.map((node) => node.view.index).join(', ');
    const who = (): string => `the members ${names} are healed`;
    const led = (): boolean => isLed(quorum.map((node) => node.view)) && quorum.every((node) => node.view.counted);
    await this.demands.that('a healed quorum elects a leader', livenessBoundMs, led, who, this.demands.catchesUp());
    if (this.clients.length === 0) return;
    const before = this.history.operations.length;
    const written = (): boolean =>
      this.history.operations.slice(before).some(({ kind, outcome }) => kind !== 'read' && outcome === 'ok');
    await this.demands.that('a healed quorum answers a write', quietBoundMs, written, who);
  }

  private async pausesOver(): Promise<void> {
    await this.demands.advance(Math.max(0, this.faults.pausedUntilMs() - this.world.clock.nowMs()));
  }

  private observe(): void {
    const { clock, trace, view } = this.world;
    clock.observer = (atMs, owner) => {
      trace.number(atMs);
      if (owner === null) return;
      trace.number(owner.node);
      this.nodes[owner.node]?.poll();
      this.world.checkTreesDue();
    };
    clock.onError = (error, owner) => {
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (owner === null) throw error;
      view.violate('no assertion fails', `node ${owner.node}: ${text}`);
    };
  }

  /** Clients wait for nothing, and every node has applied everything. */
  private quiet(): boolean {
    const { view } = this.world;
    if (![...this.clients, ...this.holders].every((client) => client.idle) || !this.demands.settled()) return false;
    const caughtUp = view.nodes.every(
      (node) => node.applied === view.ledger.last && node.log.last === view.ledger.last,
    );
    return caughtUp && this.watchers.every((watcher) => isCaughtUp(view, watcher));
  }

  /** Nobody renews any. */
  private leasesEnded(): boolean {
    const { ledger } = this.world.view;
    return this.holders.every((holder) => holder.idle) && ledger.openLeases().length === 0;
  }

  private judge(): void {
    const { view } = this.world;
    for (const node of view.nodes) {
      checkTreeContent(view, node);
      checkTreeHistory(view, node);
    }
    checkClients(view, this.history);
    checkCalls(view, this.history);
    for (const watcher of this.watchers) checkWatch(view, watcher);
  }

  /** Everybody reports the same digest of the end state. */
  private async compareDigests(): Promise<void> {
    let whole = false;
    let asking = false;
    await this.demands.that('digests are made', quietBoundMs, () => {
      if (!asking && !whole) {
        asking = true;
        this.checkpoints.ask(0, (reports) => {
          asking = false;
          whole = reports === this.nodes.length;
        });
      }
      return whole;
    });
  }

  private excess(): string | undefined {
    for (const node of this.world.view.nodes) {
      const reason = excess(node, this.plan.limits);
      if (reason !== undefined) return `node ${node.index} ${reason}`;
    }
    return undefined;
  }

  private result(): SimulationResult {
    const { clock, trace, view } = this.world;
    return {
      seed: this.options.seed,
      nodes: this.options.nodes,
      hash: trace.hash,
      virtualMs: clock.nowMs(),
      events: clock.executed,
      answered: [...this.clients, ...this.holders].reduce((sum, client) => sum + client.answered, 0),
      operations: this.clients.reduce(
        (sum, client) => sum + client.localReads,
        this.history.operations.length + this.history.calls.length,
      ),
      entries: view.ledger.entries,
      epochs: view.nodes.reduce((most, node) => Math.max(most, node.record.acceptedEpoch), 0),
      faults: this.faults.struck,
      schedule: this.schedule,
      violations: view.violations,
      trace: trace.lines(),
    };
  }
}
