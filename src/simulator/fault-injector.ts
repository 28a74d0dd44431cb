// Strikes at random moments with the faults that the plan allows, and repairs what it broke a while later. Never breaks
// more than the protocol promises to survive: a disk is lost only while every other member can stand for its data.

import { unreachable } from '../shared/assert.js';
import type { SeededRandom } from '../shared/random.js';
import type { FaultKind, RunPlan } from './run-plan.js';
import type { SimulatedNode } from './simulated-node.js';
import type { World } from './world.js';

export class FaultInjector {
  private readonly world: World;
  private readonly nodes: readonly SimulatedNode[];
  private readonly plan: RunPlan;
  private readonly random: SeededRandom;
  /** Faults that struck, by kind. */
  readonly struck = new Map<FaultKind, number>();

  constructor(world: World, nodes: readonly SimulatedNode[], plan: RunPlan, random: SeededRandom) {
    this.world = world;
    this.nodes = nodes;
    this.plan = plan;
    this.random = random;
  }

  start(): void {
    this.world.clock.after(this.plan.faultsFromMs, () => {
      this.world.faulty = this.world.faulty || !this.stopped;
      this.next();
    });
  }

  private stopped = false;

  /** No more faults; everything is repaired: paths open, disks have room, everyone boots. */
  heal(): void {
    this.stopped = true;
    this.world.faulty = false;
    this.world.trace.line('everything heals');
    this.world.conditions.heal();
    for (const node of this.nodes) {
      node.setFull(false);
      node.slowness = 1;
      node.unpause();
    }
    // What crashed at this very moment is buried first.
    this.world.clock.after(1, () => {
      for (const node of this.nodes) node.boot();
    });
  }

  private next(): void {
    if (this.stopped || this.plan.faults.length === 0) return;
    const waitMs = -Math.log(1 - this.random.next()) * this.plan.faultEveryMs;
    this.world.clock.after(waitMs, () => {
      if (this.stopped) return;
      const kind = this.plan.faults[this.random.below(this.plan.faults.length)] as FaultKind;
      this.strike(kind);
      this.next();
    });
  }

  /** Repairs later, unless everything was healed before. */
  private later(lowMs: number, highMs: number, repair: () => void): void {
    const delayMs = lowMs + this.random.next() * (highMs - lowMs);
    this.world.clock.after(delayMs, () => {
      if (!this.stopped) repair();
    });
  }

  private strike(kind: FaultKind): void {
    this.struck.set(kind, (this.struck.get(kind) ?? 0) + 1);
    this.world.trace.line(`fault: ${kind}`);
    const node = this.anyNode();
    switch (kind) {
      case 'partition':
        this.partition();
        return;
      case 'isolateLeader':
        this.isolate(this.leader() ?? node);
        return;
      case 'freezeLeader':
        // It stands still while nothing reaches it: once it moves again it does not know yet that it was replaced.
        this.isolate(this.leader() ?? node);
        (this.leader() ?? node).pause(200 + this.random.next() * 900);
        return;
      case 'blockOneWay':
        this.blockOneWay();
        return;
      case 'cutLink':
        this.anyLink()?.cut();
        return;
      case 'stallLink':
        this.anyLink()?.stall(this.random.next() * 800);
        return;
      case 'crash':
        this.crash(node, 'process');
        return;
      case 'machineDown':
        this.crash(node, 'machine');
        return;
      case 'crashLeader':
        this.crash(this.leader() ?? node, this.random.chance(0.5) ? 'process' : 'machine');
        return;
      case 'crashAll':
        for (const each of this.nodes) this.crash(each, 'machine');
        return;
      case 'pause':
        node.pause(this.random.next() * 900);
        return;
      case 'slowDisk':
        node.slowness = 2 + this.random.next() * 60;
        this.later(50, 800, () => {
          node.slowness = 1;
        });
        return;
      case 'diskFull':
        node.setFull(true);
        this.later(50, 1200, () => node.setFull(false));
        return;
      case 'diskError':
        node.failNextWrite();
        return;
      case 'loseDisk':
        this.loseDisk(node);
        return;
      default:
        unreachable(kind);
    }
  }

  private crash(node: SimulatedNode, kind: 'process' | 'machine'): void {
    node.crash(kind);
    this.later(5, 1200, () => node.boot());
  }

  private partition(): void {
    const groups = this.nodes.map(() => this.random.below(2));
    this.world.conditions.partition((node) => groups[node] ?? 0);
    this.later(50, 1500, () => this.world.conditions.heal());
  }

  private isolate(node: SimulatedNode): void {
    this.world.conditions.partition((other) => (other === node.view.index ? 1 : 0));
    this.later(50, 1500, () => this.world.conditions.heal());
  }

  private blockOneWay(): void {
    const from = this.random.below(this.nodes.length);
    const to = (from + 1 + this.random.below(this.nodes.length - 1)) % this.nodes.length;
    this.world.conditions.setBlocked(from, to, true);
    this.later(50, 1500, () => this.world.conditions.setBlocked(from, to, false));
  }

  /** Only while the others are all voters, something is committed, and the process is not in the middle of dying. */
  private loseDisk(node: SimulatedNode): void {
    const others = this.nodes.filter((other) => other !== node);
    if (this.world.view.ledger.last === 0 || !others.every((other) => other.view.counted)) return;
    node.crash('machine');
    this.world.clock.after(1, () => {
      if (node.ensemble === undefined && others.every((other) => other.view.counted)) node.loseDisk();
      this.later(5, 800, () => node.boot());
    });
  }

  private leader(): SimulatedNode | undefined {
    return this.nodes.find((node) => node.running && node.view.role === 'leading');
  }

  private anyNode(): SimulatedNode {
    return this.nodes[this.random.below(this.nodes.length)] as SimulatedNode;
  }

  private anyLink(): ReturnType<World['peers']['allLinks']>[number] | undefined {
    const links = this.world.peers.allLinks();
    return links[this.random.below(Math.max(1, links.length))];
  }
}
