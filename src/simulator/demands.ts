// What is demanded of an ensemble under test: that something holds within a bound of virtual time, which passes here. The
// course of a run, with what is demanded when, is simulation.ts's.

import type { NodeView } from './checkers/ensemble-view.js';
import type { InvariantName } from './checkers/invariants.js';
import type { World } from './world.js';

/** A member that is still brought up to date delays what is demanded, as long as it gets further, up to this. */
export const catchUpBoundMs = 120_000;
const stepMs = 50;

export class Demands {
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** Nothing more is to be learned: some invariant is violated. */
  get broken(): boolean {
    return this.world.view.violations.length > 0;
  }

  async advance(durationMs: number): Promise<void> {
    const { clock } = this.world;
    if (!this.broken) await clock.runPromisesUntil(clock.nowMs() + durationMs, () => this.broken);
  }

  /**
   * Runs until the condition holds; not within the bound is a violation. The bound begins anew whenever `getsFurther` says
   * so, at most until `catchUpBoundMs`.
   */
  async that(
    what: InvariantName,
    boundMs: number,
    holds: () => boolean,
    why?: () => string | undefined,
    getsFurther?: () => boolean,
  ): Promise<void> {
    const { clock, view } = this.world;
    const lastMs = clock.nowMs() + catchUpBoundMs;
    let untilMs = clock.nowMs() + boundMs;
    while (!this.broken && !holds()) {
      if (getsFurther?.() === true) untilMs = Math.min(lastMs, clock.nowMs() + boundMs);
      if (clock.nowMs() >= untilMs) {
        view.violate(
          what,
          `not within ${boundMs} ms${why === undefined ? '' : `: ${why()}`}:\n${view.nodes.map((node) => `    ${node.describe()}`).join('\n')}`,
        );
        return;
      }
      await this.advance(stepMs);
    }
  }

  /** A member that does not serve yet has more on disk than ever before: a whole log may have to come over a slow disk. */
  catchesUp(): () => boolean {
    const best = new Map<NodeView, number>();
    return () => {
      let further = false;
      for (const node of this.world.view.nodes) {
        if (node.serving || node.log.durable <= (best.get(node) ?? 0)) continue;
        best.set(node, node.log.durable);
        further = true;
      }
      return further;
    };
  }

  /** One leader serves, everybody serves behind it in its epoch and is counted again. */
  settled(): boolean {
    const { nodes } = this.world.view;
    return isLed(nodes) && nodes.every((node) => node.counted);
  }
}

/** One of them leads, and all serve in its epoch. */
export function isLed(nodes: readonly NodeView[]): boolean {
  return followersOf(nodes) === nodes.length;
}

export function isQuorumLed(nodes: readonly NodeView[]): boolean {
  return followersOf(nodes) > nodes.length / 2;
}

/** How many serve in the epoch of one leader, that leader included; 0 without one. */
function followersOf(nodes: readonly NodeView[]): number {
  const leader = nodes.find((node) => node.serving && node.role === 'leading');
  if (leader === undefined) return 0;
  return nodes.filter(
    (node) =>
      node.up && node.serving && node.epoch === leader.epoch && (node === leader || node.leader === leader.serverId),
  ).length;
}
