// A simulated watch that outlives nodes: it follows a range live on one node, moves to another when that dies or at a
// whim, and goes on from history after the last revision it was told of. What it collects is judged by watch-order.ts.

import type { Revision } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import { keyTextOf } from '../tree/key-text.js';
import type { WatchEvent, Watcher, WatchRequest } from '../tree/replicated-tree.js';
import type { ClientWorld, ReachableNode } from './simulated-client.js';

export interface CollectedEvent {
  readonly revision: Revision;
  readonly key: Uint8Array;
  readonly deleted: boolean;
}

/** A stretch of history that was followed without a gap. */
export interface CollectedStretch {
  readonly from: Revision;
  readonly events: CollectedEvent[];
}

const changesBytes = 4096;

export class SimulatedWatcher {
  readonly request: WatchRequest;
  /** A new stretch begins where history was compacted under the watch. */
  readonly stretches: CollectedStretch[] = [];
  private readonly world: ClientWorld;
  private readonly random: SeededRandom;
  private next = 2 as Revision;
  private node = 0;
  private attached: { readonly target: ReachableNode; readonly cancel: () => void } | undefined;

  constructor(world: ClientWorld, request: WatchRequest, random: SeededRandom) {
    this.world = world;
    this.request = request;
    this.random = random;
    this.node = random.below(world.nodes);
    this.stretches.push({ from: this.next, events: [] });
  }

  /** Everything before this revision has been told. */
  get position(): Revision {
    return this.next;
  }

  start(): void {
    const check = (): void => {
      this.check();
      this.world.clock.after(50 + this.random.next() * 100, check);
    };
    check();
  }

  /** Attaches where the node is up and caught up with what this watch has seen; detaches from the dead. */
  private check(): void {
    if (this.attached !== undefined && !this.attached.target.scheduler.alive) this.attached = undefined;
    if (this.random.chance(0.05)) this.move();
    if (this.attached !== undefined) return;
    const target = this.world.reach(this.node);
    if (target === undefined) {
      this.move();
      return;
    }
    target.scheduler.deliver(0, () => {
      if (this.attached === undefined) this.attach(target);
    });
  }

  private move(): void {
    this.attached?.cancel();
    this.attached = undefined;
    this.node = this.random.below(this.world.nodes);
  }

  private attach(target: ReachableNode): void {
    const { tree } = target.ensemble;
    while (this.next <= tree.revision) {
      const page = tree.changes(this.request, this.next, { bytesMax: changesBytes });
      if (page.type === 'compacted') {
        this.next = (page.compactedRevision + 1) as Revision;
        this.stretches.push({ from: this.next, events: [] });
        continue;
      }
      this.take(page.events);
      if (page.next <= this.next) break;
      this.next = page.next;
    }
    const { request } = this;
    const watcher: Watcher = {
      from: keyTextOf(request.from),
      to: request.to === undefined ? undefined : keyTextOf(request.to),
      single: request.single,
      notify: (revision, events) => {
        // A node that has to catch up tells what this watch has seen elsewhere already.
        if (revision < this.next || !target.scheduler.alive) return;
        this.take(events);
        this.next = (revision + 1) as Revision;
      },
      // The subscription lives on and would leave a gap: end it, and begin again from history.
      reset: () => {
        cancel();
        this.attached = undefined;
      },
    };
    const cancel = (): void => tree.unwatch(watcher);
    tree.watch(watcher);
    this.attached = { target, cancel };
  }

  private take(events: readonly WatchEvent[]): void {
    const { events: collected } = this.stretches.at(-1) as CollectedStretch;
    for (const event of events) {
      collected.push({ revision: event.modRevision, key: event.key, deleted: event.type === 'delete' });
    }
  }
}
