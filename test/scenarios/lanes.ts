// What is on its way in a test cluster, in lanes: `udp 1 2`, `tcp 1 2 7` (link 7), `disk 1`. The first of a lane arrives
// before its second; between lanes the caller decides. A held lane waits.

import type { SeededRandom } from '../../src/shared/random.js';

interface Arrival {
  readonly order: number;
  readonly run: () => void;
}

export class Lanes {
  private readonly lanes = new Map<string, Arrival[]>();
  /** Names of lanes without their link. */
  private readonly held = new Set<string>();
  private order = 0;

  push(name: string, run: () => void): void {
    const lane = this.lanes.get(name) ?? [];
    lane.push({ order: ++this.order, run });
    this.lanes.set(name, lane);
  }

  clear(name: string): void {
    this.lanes.delete(name);
  }

  hold(name: string): void {
    this.held.add(name);
  }

  release(which: (name: string) => boolean): void {
    for (const name of [...this.held]) if (which(name)) this.held.delete(name);
  }

  isHeld(name: string): boolean {
    return this.held.has(name.split(' ').slice(0, 3).join(' '));
  }

  /** Of each lane with this beginning a part is lost; its first arrival stays, since somebody may wait for just that. */
  loseTails(beginning: string, random: SeededRandom): void {
    for (const [name, lane] of this.lanes) if (name.startsWith(beginning)) lane.length = 1 + random.below(lane.length);
  }

  /** The oldest arrival of all that are not held; false: there is none. */
  arriveInOrder(): boolean {
    let oldest: [string, Arrival] | undefined;
    for (const [name, [first]] of this.lanes) {
      if (first === undefined || this.isHeld(name)) continue;
      if (oldest === undefined || first.order < oldest[1].order) oldest = [name, first];
    }
    if (oldest === undefined) return false;
    this.arriveFrom(oldest[0]);
    return true;
  }

  /** The first arrival of a lane picked at random. */
  arriveAtRandom(random: SeededRandom): boolean {
    const ready = [...this.lanes.keys()].filter((name) => !this.isHeld(name));
    const name = ready[random.below(Math.max(1, ready.length))];
    if (name === undefined) return false;
    this.arriveFrom(name);
    return true;
  }

  /** The first arrival of this lane, held or not. */
  arriveFrom(name: string): void {
    const lane = this.lanes.get(name);
    const next = lane?.shift();
    if (lane?.length === 0) this.lanes.delete(name);
    next?.run();
  }
}
