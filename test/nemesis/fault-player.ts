// Carries out the schedule of faults on the nodes, each fault over its time and undone at its end, several at once where
// they overlap. A node under one fault is left alone by the others. Counts what was done, and reports what a node should
// not have done.

import { SeededRandom } from '../../src/shared/random.js';
import type { Chronicle } from './chronicle.js';
import { DamageFault, refill } from './damage-fault.js';
import { describeFault, type FaultStep, type PartitionShape } from './fault-plan.js';
import type { NemesisEnsemble } from './nemesis-ensemble.js';
import type { NemesisNetwork } from './nemesis-network.js';

export interface FaultPlayerOptions {
  readonly ensemble: NemesisEnsemble;
  readonly network: NemesisNetwork;
  readonly chronicle: Chronicle;
  readonly onFinding: (text: string) => void;
}

const aloneMs = 1_000;

type Step<Kind extends FaultStep['kind']> = Extract<FaultStep, { kind: Kind }>;

export class FaultPlayer {
  /** What was done -> how often. */
  readonly counts = new Map<string, number>();
  private readonly options: FaultPlayerOptions;
  private readonly busy = new Set<number>();
  private slow = false;
  /** One lost disk is a minority; a second one at the same time might not be. */
  private rebuilding = false;

  constructor(options: FaultPlayerOptions) {
    this.options = options;
  }

  /** Returns once every fault is undone. */
  async play(steps: readonly FaultStep[], beganMs: number): Promise<void> {
    const running: Promise<void>[] = [];
    for (const step of steps) {
      await pause(beganMs + step.atMs - performance.now());
      running.push(this.carryOut(step));
    }
    await Promise.all(running);
  }

  private async carryOut(step: FaultStep): Promise<void> {
    try {
      await this.begin(step);
    } catch (error) {
      this.options.onFinding(`${describeFault(step)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private begin(step: FaultStep): Promise<void> {
    switch (step.kind) {
      case 'kill':
        return this.kill(step);
      case 'stop':
        return this.onOne(step, async (node) => {
          this.done('stops', step, [node]);
          await this.options.ensemble.stop(node);
          await pause(step.durationMs);
          await this.options.ensemble.start(node);
        });
      case 'pause':
        return this.suspend(step);
      case 'partition':
        return this.partition(step);
      case 'slow network':
        return this.slowDown(step);
      case 'full disk':
        return this.fillDisk(step);
      case 'damage':
        return this.damage(step);
      case 'lost disk':
        return this.loseDisk(step);
    }
  }

  private async kill(step: Step<'kill'>): Promise<void> {
    const { ensemble } = this.options;
    const { size } = ensemble;
    const wanted = {
      one: 1,
      leader: 1,
      minority: Math.floor((size - 1) / 2),
      majority: Math.floor(size / 2) + 1,
      all: size,
    };
    const free = this.free(step);
    const first = step.victims === 'leader' ? await this.leaderAmong(free) : free;
    const victims = first.slice(0, wanted[step.victims]);
    if (victims.length === 0) return this.skipped(step, 'no node is free');
    await this.hold(victims, async () => {
      this.done('kills', step, victims);
      await Promise.all(victims.map((node) => ensemble.kill(node)));
      const random = new SeededRandom(step.choice);
      await Promise.all(
        victims.map(async (node) => {
          await pause(step.durationMs * (0.3 + 0.7 * random.next()));
          await ensemble.start(node);
        }),
      );
    });
  }

  private async suspend(step: Step<'pause'>): Promise<void> {
    const { ensemble } = this.options;
    const free = this.free(step);
    const [victim] = step.victim === 'one' ? free : await this.leaderAmong(free);
    if (victim === undefined) return this.skipped(step, 'no node is free');
    await this.hold([victim], async () => {
      this.done('pauses', step, [victim]);
      ensemble.pause(victim, true);
      if (step.victim === 'stale leader') await this.wakeAlone(victim, step.durationMs);
      else {
        await pause(step.durationMs);
        ensemble.pause(victim, false);
      }
    });
  }

  /** That the others have closed their connections does not reach it: it has to find out by itself. */
  private async wakeAlone(victim: number, pausedMs: number): Promise<void> {
    const { ensemble } = this.options;
    const others = [...ensemble.nodes.keys()].filter((node) => node !== victim);
    const cuts = between([victim], others);
    await Promise.all(cuts.map(([from, to]) => ensemble.cut(from, to, true)));
    await pause(pausedMs);
    ensemble.pause(victim, false);
    await pause(aloneMs);
    await Promise.all(cuts.map(([from, to]) => ensemble.cut(from, to, false)));
  }

  /** Nodes are not held: what is cut off may well be killed, too. */
  private async partition(step: Step<'partition'>): Promise<void> {
    const { ensemble } = this.options;
    const order = rotated(ensemble.nodes.length, step.choice);
    const leader = step.shape.startsWith('leader') ? await ensemble.leader() : undefined;
    const first = leader ?? order[0] ?? 0;
    const cuts = cutsOf(step.shape, [first, ...order.filter((node) => node !== first)]);
    this.done('partitions', step, step.shape.includes('alone') || leader !== undefined ? [first] : []);
    await Promise.all(cuts.map(([from, to]) => ensemble.cut(from, to, true)));
    await pause(step.durationMs);
    await Promise.all(cuts.map(([from, to]) => ensemble.cut(from, to, false)));
    this.over(step);
  }

  private async slowDown(step: Step<'slow network'>): Promise<void> {
    const { network, ensemble } = this.options;
    if (network.cannotDegrade !== null) return this.skipped(step, network.cannotDegrade);
    if (this.slow) return this.skipped(step, 'it is slow already');
    this.slow = true;
    this.done('slow networks', step, []);
    await Promise.all(ensemble.nodes.map((_, node) => network.degrade(node, step)));
    await pause(step.durationMs);
    await Promise.all(ensemble.nodes.map((_, node) => network.degrade(node, null)));
    this.slow = false;
    this.over(step);
  }

  private async fillDisk(step: Step<'full disk'>): Promise<void> {
    const { ensemble, chronicle } = this.options;
    const { diskNode, smallDisk } = ensemble;
    if (diskNode === null || smallDisk === null) return this.skipped(step, 'there is no small disk');
    if (this.busy.has(diskNode)) return this.skipped(step, 'the node is not free');
    await this.hold([diskNode], async () => {
      // A node does not start on a full disk, and is not asked to.
      await ensemble.started(diskNode);
      this.done('full disks', step, [diskNode]);
      await smallDisk.fill();
      ensemble.fullDisk(diskNode, true);
      await pause(step.durationMs);
      smallDisk.empty();
      ensemble.fullDisk(diskNode, false);
      // A node that does not run any more was reported when it ended.
      if (!ensemble.node(diskNode).running) {
        chronicle.note(`node${diskNode + 1} did not survive its full disk and is started again`);
        await ensemble.start(diskNode);
      }
    });
    this.over(step);
  }

  private async damage(step: Step<'damage'>): Promise<void> {
    await this.onDisk(step, async (node) => {
      const fault = new DamageFault(this.options, node);
      const detail = await fault.inflict(step.damage, new SeededRandom(step.choice));
      if (detail === null) return this.skipped(step, 'too little is on the disk');
      this.done('damages', step, [node]);
      this.options.chronicle.note(`  ${detail}`);
      if (await fault.followUp()) this.count('rebuilds', 1);
    });
  }

  private async loseDisk(step: Step<'lost disk'>): Promise<void> {
    const { ensemble } = this.options;
    await this.onDisk(step, async (node) => {
      this.done('lost disks', step, [node]);
      await ensemble.kill(node);
      await pause(step.durationMs);
      ensemble.replaceDisk(node);
      await refill(this.options, node);
    });
  }

  private async onDisk(step: FaultStep, action: (node: number) => Promise<void>): Promise<void> {
    if (this.rebuilding) return this.skipped(step, 'a lost disk is not counted again yet');
    this.rebuilding = true;
    try {
      await this.onOne(step, action);
    } finally {
      this.rebuilding = false;
    }
  }

  private async onOne(step: FaultStep, action: (node: number) => Promise<void>): Promise<void> {
    const [node] = this.free(step);
    if (node === undefined) return this.skipped(step, 'no node is free');
    await this.hold([node], () => action(node));
  }

  private async hold(nodes: readonly number[], action: () => Promise<void>): Promise<void> {
    for (const node of nodes) this.busy.add(node);
    try {
      await action();
    } finally {
      for (const node of nodes) this.busy.delete(node);
    }
  }

  private free(step: FaultStep): number[] {
    return rotated(this.options.ensemble.size, step.choice).filter((node) => !this.busy.has(node));
  }

  /** Whoever leads, if it is free; otherwise any node that is. */
  private async leaderAmong(free: readonly number[]): Promise<readonly number[]> {
    const leader = await this.options.ensemble.leader();
    const still = free.filter((node) => !this.busy.has(node));
    return leader !== undefined && still.includes(leader) ? [leader] : still;
  }

  private done(what: string, step: FaultStep, nodes: readonly number[]): void {
    this.count(what, Math.max(1, what === 'kills' ? nodes.length : 1));
    const names = nodes.map((node) => `node${node + 1}`).join(', ');
    this.options.chronicle.note(`${describeFault(step)}${names === '' ? '' : ` → ${names}`}, ${step.durationMs} ms`);
  }

  private over(step: FaultStep): void {
    this.options.chronicle.note(`${describeFault(step)} is over`);
  }

  private skipped(step: FaultStep, reason: string): void {
    this.count('skipped', 1);
    this.options.chronicle.note(`${describeFault(step)}: skipped, ${reason}`);
  }

  private count(what: string, more: number): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + more);
  }
}

/** Directions that do not work; the first node is the one that the shape is about. */
function cutsOf(shape: PartitionShape, nodes: readonly number[]): [number, number][] {
  const [first = 0, ...others] = nodes;
  const middle = Math.ceil(others.length / 2);
  switch (shape) {
    case 'leader alone':
    case 'one alone':
      return between([first], others);
    case 'halves':
      return between([first, ...others.slice(0, middle - 1)], others.slice(middle - 1));
    case 'leader deaf':
      return others.map((other) => [other, first]);
    case 'leader mute':
      return others.map((other) => [first, other]);
    case 'one direction':
      return [[first, others[0] ?? first]];
    case 'bridge':
      return between(others.slice(0, middle), others.slice(middle));
  }
}

function between(left: readonly number[], right: readonly number[]): [number, number][] {
  return left.flatMap((a) =>
    right.flatMap((b): [number, number][] => [
      [a, b],
      [b, a],
    ]),
  );
}

/** 0 .. count-1, beginning anywhere. */
function rotated(count: number, choice: number): number[] {
  return Array.from({ length: count }, (_, index) => (index + choice) % count);
}

async function pause(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}
