// Strikes with the events of the schedule and repairs each a while later. Decides targets such as "the leader" when an
// event strikes. Never breaks more than the protocol promises to survive: a disk is lost only while every other member
// can stand for its data.

import { SeededRandom } from '../shared/random.js';
import { describeEvent, type FaultEvent } from './fault-schedule.js';
import type { CrashKind } from './machine-disk.js';
import { bridge, halves, isolation, oneWay, oneWayHalves, ring, type Severed } from './partition-shapes.js';
import type { FaultKind, RunPlan } from './run-plan.js';
import type { LinkEnd } from './simulated-link.js';
import type { Rotting, SimulatedNode } from './simulated-node.js';
import type { World } from './world.js';

/** An event that has struck and is not repaired yet. */
export interface ActiveFault {
  readonly event: FaultEvent;
  /** Nodes that it struck; empty when it is about paths between all of them. */
  readonly nodes: readonly number[];
}

interface Strike {
  readonly event: FaultEvent;
  /** The event's own, for its choices. */
  readonly random: SeededRandom;
  /** Struck, unless the kind is about another one. */
  readonly node: SimulatedNode;
}

/** A step of the disk at which a crash strikes comes within so many. */
const crashStepsMax = 60;
/** Longest time that a node lives between two crashes of a crash loop. */
const crashLoopAliveMs = 150;

export class FaultInjector {
  private readonly world: World;
  private readonly nodes: readonly SimulatedNode[];
  private readonly plan: RunPlan;
  private readonly events: readonly FaultEvent[];
  private stopped = false;
  /** Events that struck, by kind. */
  readonly struck = new Map<FaultKind, number>();
  /** By index of the event. */
  readonly active = new Map<number, ActiveFault>();
  /** Of each node, the factors of the events that slow its disk down, by index of the event. */
  private readonly slowness: readonly Map<number, number>[];
  /** Of each node, the events that fill its disk. */
  private readonly full: readonly Set<number>[];

  private readonly strikes: Readonly<Record<FaultKind, (strike: Strike) => void>> = {
    partition: (strike) => this.sever(strike, halves(this.nodes.length, strike.random)),
    partitionOneWay: (strike) => this.sever(strike, oneWayHalves(this.nodes.length, strike.random)),
    bridge: (strike) => this.sever(strike, bridge(this.nodes.length, strike.random)),
    ring: (strike) => this.sever(strike, ring(this.nodes.length, strike.random)),
    blockOneWay: (strike) => this.sever(strike, oneWay(this.nodes.length, strike.random)),
    isolateLeader: (strike) => this.isolate(strike, this.leader() ?? strike.node),
    freezeLeader: (strike) => this.freezeLeader(strike),
    flap: (strike) => this.flap(strike, this.minority(strike.random)),
    cutLink: ({ random }) => this.anyLink(random)?.cut(),
    stallLink: ({ random, event }) => this.anyLink(random)?.stall(event.durationMs),
    halfOpen: ({ random, event }) => this.anyLink(random)?.loseSight(event.durationMs),
    crash: (strike) => this.crash(strike, strike.node, 'process'),
    machineDown: (strike) => this.crash(strike, strike.node, 'machine'),
    crashLeader: (strike) => this.crash(strike, this.leader() ?? strike.node, anyKind(strike.random)),
    crashAll: (strike) => this.crashAll(strike),
    crashLoop: (strike) => this.crashLoop(strike),
    crashAtStep: (strike) => this.crashAtStep(strike),
    pause: (strike) => this.pause(strike),
    suspend: (strike) => this.suspend(strike),
    clockJump: ({ node, event }) => node.jumpClock(event.durationMs),
    slowDisk: (strike) => this.slow(strike, 2 + strike.random.next() * 60),
    diskStall: (strike) => this.slow(strike, strike.event.durationMs / this.typicalDiskDelayMs()),
    diskFull: (strike) => this.fill(strike),
    diskError: ({ node }) => node.failNextWrite(),
    syncError: ({ node }) => node.failNextSync(),
    rotLog: (strike) => this.rot(strike, 'log'),
    rotManifest: (strike) => this.rot(strike, 'manifest'),
    loseDisk: (strike) => this.loseDisk(strike),
  };

  constructor(world: World, nodes: readonly SimulatedNode[], plan: RunPlan, events: readonly FaultEvent[]) {
    this.world = world;
    this.nodes = nodes;
    this.plan = plan;
    this.events = events;
    this.slowness = nodes.map(() => new Map<number, number>());
    this.full = nodes.map(() => new Set<number>());
  }

  /** Nodes that were last cut off again and again. */
  private flapping: readonly SimulatedNode[] = [];

  start(): void {
    const { clock } = this.world;
    clock.after(this.plan.faultsFromMs, () => {
      this.world.faulty = this.world.faulty || !this.stopped;
    });
    for (const event of this.events) {
      clock.after(event.atMs, () => {
        if (!this.stopped) this.strike(event);
      });
    }
  }

  /** No more faults, and everything is repaired: paths open, disks have room, everyone boots. Pauses run out. */
  heal(): void {
    this.world.trace.line('everything heals');
    this.repair(this.nodes);
  }

  /**
   * Heals a quorum of counted members that everybody in it can reach; the others stay down or cannot be heard. Undefined,
   * and nothing happens, when too few members are counted.
   */
  healQuorum(random: SeededRandom): readonly SimulatedNode[] | undefined {
    const { view, trace, conditions } = this.world;
    const candidates = this.nodes.filter((node) => node.view.counted && !node.damaged);
    if (candidates.length < view.quorum) return undefined;
    const size = view.quorum + random.below(candidates.length - view.quorum + 1);
    while (candidates.length > size) candidates.splice(random.below(candidates.length), 1);
    const away = this.nodes.filter((node) => !candidates.includes(node));
    if (away.length === 0) return undefined;
    trace.line(`nodes ${candidates.map((node) => node.view.index).join(', ')} heal`);
    this.repair(candidates);
    const indexes = new Set(away.map((node) => node.view.index));
    // Datagrams of the others may still reach the quorum: nobody leaves its leader because of one.
    const heard = random.chance(0.3);
    const apart = isolation(indexes);
    conditions.sever((from, to) => apart(from, to) && !(heard && indexes.has(from)));
    for (const node of away) if (random.chance(0.5)) node.crash('machine');
    return candidates;
  }

  /** True time at which the last of these nodes moves again. */
  pausedUntilMs(nodes: readonly SimulatedNode[] = this.nodes): number {
    return nodes.reduce((latest, node) => Math.max(latest, node.pausedUntilMs), 0);
  }

  private repair(booting: readonly SimulatedNode[]): void {
    this.stopped = true;
    this.world.faulty = false;
    this.active.clear();
    this.world.conditions.heal();
    this.world.peers.mend();
    for (const node of this.nodes) {
      node.setFull(false);
      node.disk.slowness = 1;
      node.disk.crashAtStep(0, () => {});
    }
    // What crashed at this very moment is buried first.
    this.world.clock.after(1, () => {
      for (const node of booting) node.boot();
    });
  }

  /** Runs when the event ends, unless everything was healed before. */
  private afterwards({ event }: Strike, nodes: readonly SimulatedNode[], repair: () => void): void {
    this.active.set(event.index, { event, nodes: nodes.map((node) => node.view.index) });
    this.later(event.durationMs, () => {
      this.active.delete(event.index);
      repair();
    });
  }

  private later(delayMs: number, task: () => void): void {
    this.world.clock.after(delayMs, () => {
      if (!this.stopped) task();
    });
  }

  private strike(event: FaultEvent): void {
    const { kind } = event;
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
    if (this.world.trace.verbose) this.world.trace.line(`fault ${describeEvent(event)}`);
    const random = new SeededRandom(event.seed);
    const node = this.nodes[random.below(this.nodes.length)] as SimulatedNode;
    this.strikes[kind]({ event, random, node });
  }

  private sever(strike: Strike, severed: Severed, nodes: readonly SimulatedNode[] = []): void {
    this.afterwards(strike, nodes, this.world.conditions.sever(severed));
  }

  private isolate(strike: Strike, node: SimulatedNode): void {
    this.sever(strike, isolation(new Set([node.view.index])), [node]);
  }

  /** It stands still while nothing reaches it: once it moves again it does not know yet that it was replaced. */
  private freezeLeader(strike: Strike): void {
    const leader = this.leader() ?? strike.node;
    this.isolate(strike, leader);
    leader.pause(strike.event.durationMs * (0.3 + strike.random.next()));
  }

  private pause(strike: Strike): void {
    strike.node.pause(strike.event.durationMs);
    this.afterwards(strike, [strike.node], () => {});
  }

  private suspend(strike: Strike): void {
    strike.node.suspend(strike.event.durationMs);
    this.afterwards(strike, [strike.node], () => {});
  }

  /** Isolated and back, again and again, and never while the leader is among them. */
  private flap(strike: Strike, nodes: readonly SimulatedNode[]): void {
    const { random, event } = strike;
    const { clock, conditions } = this.world;
    const untilMs = clock.nowMs() + event.durationMs;
    const flapping = new Set(nodes.map((node) => node.view.index));
    const meanMs = 20 + random.next() * 600;
    const strikeAgain = (): void => {
      if (clock.nowMs() >= untilMs || nodes.includes(this.leader() as SimulatedNode)) return;
      const repair = conditions.sever(isolation(flapping));
      this.later(meanMs * (0.2 + random.next()), () => {
        repair();
        this.later(meanMs * (0.2 + random.next()), strikeAgain);
      });
    };
    this.afterwards(strike, nodes, () => {});
    strikeAgain();
  }

  /** At least one node, less than half of them, without the leader; the same as before while it can be. */
  private minority(random: SeededRandom): readonly SimulatedNode[] {
    const leader = this.leader();
    // Two minorities at a time might leave no majority.
    if (this.flapping.length > 0 && !this.flapping.includes(leader as SimulatedNode)) return this.flapping;
    const others = this.nodes.filter((node) => node !== leader);
    const size = 1 + random.below(Math.ceil(this.nodes.length / 2) - 1);
    while (others.length > size) others.splice(random.below(others.length), 1);
    this.flapping = others;
    return others;
  }

  private crash(strike: Strike, node: SimulatedNode, kind: CrashKind): void {
    node.crash(kind);
    this.afterwards(strike, [node], () => node.boot());
  }

  private crashAll(strike: Strike): void {
    const { event, random } = strike;
    for (const node of this.nodes) {
      node.crash('machine');
      this.later(event.durationMs * (0.2 + 0.8 * random.next()), () => node.boot());
    }
    this.afterwards(strike, this.nodes, () => {});
  }

  private crashLoop(strike: Strike): void {
    const { random, event, node } = strike;
    const untilMs = this.world.clock.nowMs() + event.durationMs;
    const again = (): void => {
      if (this.world.clock.nowMs() >= untilMs) return;
      node.crash(anyKind(random));
      this.later(1 + random.next() * 50, () => {
        node.boot();
        // Most crashes strike early: while it recovers, elects, synchronizes.
        this.later(random.next() ** 2 * crashLoopAliveMs, again);
      });
    };
    again();
    this.afterwards(strike, [node], () => node.boot());
  }

  private crashAtStep({ random, event, node }: Strike): void {
    const kind = anyKind(random);
    node.disk.crashAtStep(1 + random.below(crashStepsMax), () => {
      node.crash(kind);
      this.later(event.durationMs, () => node.boot());
    });
  }

  private slow(strike: Strike, factor: number): void {
    const { node } = strike;
    const factors = this.slowness[node.view.index] as Map<number, number>;
    const settle = (): void => {
      node.disk.slowness = Math.max(1, ...factors.values());
    };
    factors.set(strike.event.index, factor);
    settle();
    this.afterwards(strike, [node], () => {
      factors.delete(strike.event.index);
      settle();
    });
  }

  private typicalDiskDelayMs(): number {
    const { delayMinMs, delayJitterMs } = this.plan.disk;
    return delayMinMs + delayJitterMs / 2;
  }

  private fill(strike: Strike): void {
    const { node } = strike;
    const fillers = this.full[node.view.index] as Set<number>;
    fillers.add(strike.event.index);
    node.setFull(true);
    this.afterwards(strike, [node], () => {
      fillers.delete(strike.event.index);
      node.setFull(fillers.size > 0);
    });
  }

  /** Only while the others are all voters, something is committed, and the process is not in the middle of dying. */
  private loseDisk(strike: Strike): void {
    const { node } = strike;
    if (!this.canBeSpared(node)) return;
    node.crash('machine');
    this.world.clock.after(1, () => {
      if (node.down && this.canBeSpared(node)) node.loseDisk();
      if (!this.stopped) this.afterwards(strike, [node], () => node.boot());
    });
  }

  /** Under the same conditions: the node must not start from what it then finds, and gets an empty disk. */
  private rot(strike: Strike, what: Rotting): void {
    const { node } = strike;
    if (!this.canBeSpared(node)) return;
    node.crash(anyKind(strike.random));
    this.world.clock.after(1, () => {
      if (node.down && this.canBeSpared(node)) node.rot(what);
      if (!this.stopped) this.afterwards(strike, [node], () => node.boot());
    });
  }

  private canBeSpared(node: SimulatedNode): boolean {
    const others = this.nodes.filter((other) => other !== node);
    return this.world.view.ledger.entries > 0 && others.every((other) => other.view.counted && !other.damaged);
  }

  private leader(): SimulatedNode | undefined {
    return this.nodes.find((node) => node.running && node.view.role === 'leading');
  }

  private anyLink(random: SeededRandom): LinkEnd | undefined {
    const links = this.world.peers.allLinks();
    return links[random.below(Math.max(1, links.length))];
  }
}

function anyKind(random: SeededRandom): CrashKind {
  return random.chance(0.5) ? 'process' : 'machine';
}
