// Now and then some node is asked to compact the history up to a little before its newest revision. Nobody waits for the
// answer.

import type { SeededRandom } from '../shared/random.js';
import type { ReachableNode } from './simulated-client.js';
import type { VirtualClock } from './virtual-clock.js';

/** Revisions that are left, at most. */
const revisionsLeftMax = 20;
const timeoutMs = 500;

export class Compactions {
  private readonly clock: VirtualClock;
  private readonly world: {
    readonly nodes: number;
    readonly reach: (node: number) => ReachableNode | undefined;
    /** Mean time between two; 0 = none. */
    readonly everyMs: number;
  };
  private readonly random: SeededRandom;
  private stopped = false;

  constructor(clock: VirtualClock, world: Compactions['world'], random: SeededRandom) {
    this.clock = clock;
    this.world = world;
    this.random = random;
  }

  start(): void {
    const { nodes, reach, everyMs } = this.world;
    if (everyMs === 0) return;
    this.clock.after(everyMs * (0.5 + this.random.next()), () => {
      if (this.stopped) return;
      const target = reach(this.random.below(nodes));
      target?.scheduler.deliver(0, () => {
        const { tree } = target.ensemble;
        const revision = Math.max(1, tree.revision - this.random.below(revisionsLeftMax)) as typeof tree.revision;
        const deadlineMs = target.scheduler.nowMs() + timeoutMs;
        target.ensemble.submit({ command: { type: 'compact', revision } }, deadlineMs, () => {});
      });
      this.start();
    });
  }

  stop(): void {
    this.stopped = true;
  }
}
