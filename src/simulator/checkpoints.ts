// Asks now and then some node to compare the whole ensemble at a checkpoint entry, as an operator would with
// `zabtree digest --all`, and holds whatever any two nodes reported of one zxid against each other.

import type { SeededRandom } from '../shared/random.js';
import type { EnsembleView } from './checkers/ensemble-view.js';
import type { ReachableNode } from './simulated-client.js';
import type { VirtualClock } from './virtual-clock.js';

/** Mean time between two checkpoints. */
const everyMs = 1_500;
/** A checkpoint waits this long for the slowest member, in the time of the node that was asked. */
const timeoutMs = 800;

export class Checkpoints {
  private readonly clock: VirtualClock;
  private readonly view: EnsembleView;
  private readonly reach: (node: number) => ReachableNode | undefined;
  private readonly random: SeededRandom;
  /** What the first node reported of a zxid. */
  private readonly digests = new Map<number, string>();
  private stopped = false;
  /** Reports that were compared with another node's. */
  compared = 0;

  constructor(
    world: { readonly clock: VirtualClock; readonly view: EnsembleView },
    reach: (node: number) => ReachableNode | undefined,
    random: SeededRandom,
  ) {
    this.clock = world.clock;
    this.view = world.view;
    this.reach = reach;
    this.random = random;
  }

  start(): void {
    this.clock.after(everyMs * (0.5 + this.random.next()), () => {
      if (this.stopped) return;
      this.ask(this.random.below(this.view.nodes.length), () => {});
      this.start();
    });
  }

  stop(): void {
    this.stopped = true;
  }

  /** `done` learns how many nodes reported: 0 when the checkpoint failed, or the node died meanwhile. */
  ask(node: number, done: (reports: number) => void): void {
    const target = this.reach(node);
    if (target === undefined) {
      done(0);
      return;
    }
    target.scheduler.deliver(0, () => {
      target.ensemble.digestAll(target.scheduler.nowMs() + timeoutMs, (error, reports) => {
        for (const { id, zxid, revision, digest } of reports) this.compare(zxid, `${revision} ${digest}`, id);
        done(error === null ? reports.length : 0);
      });
    });
  }

  private compare(zxid: number, digest: string, id: number): void {
    const known = this.digests.get(zxid);
    if (known === undefined) this.digests.set(zxid, digest);
    else {
      this.compared += 1;
      if (known !== digest)
        this.view.violate(
          'digests are equal at equal zxid',
          `server ${id} has ${digest} at ${zxid}, another one ${known}`,
        );
    }
  }
}
