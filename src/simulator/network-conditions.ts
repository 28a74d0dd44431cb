// The weather of the simulated network: who can reach whom, how long a message takes, which datagram is lost. Holds no
// messages; every draw comes from one seeded generator.

import type { SeededRandom } from '../shared/random.js';

export interface NetworkProfile {
  /** Of every datagram. */
  readonly lossChance: number;
  readonly duplicateChance: number;
  /** Every message takes at least this, plus a draw below the jitter. */
  readonly latencyMinMs: number;
  readonly latencyJitterMs: number;
  /** Now and then one takes much longer. */
  readonly spikeChance: number;
  readonly spikeMs: number;
}

export const calmNetwork: NetworkProfile = {
  lossChance: 0,
  duplicateChance: 0,
  latencyMinMs: 0.1,
  latencyJitterMs: 0.4,
  spikeChance: 0,
  spikeMs: 0,
};

export class NetworkConditions {
  profile: NetworkProfile;
  readonly nodes: number;
  private readonly random: SeededRandom;
  /** blocked[from * nodes + to]: nothing passes in this direction. */
  private readonly blocked: boolean[];
  /** Called when some direction opens again. */
  onOpened: () => void = () => {};

  constructor(nodes: number, profile: NetworkProfile, random: SeededRandom) {
    this.nodes = nodes;
    this.profile = profile;
    this.random = random;
    this.blocked = new Array<boolean>(nodes * nodes).fill(false);
  }

  isBlocked(from: number, to: number): boolean {
    return this.blocked[from * this.nodes + to] === true;
  }

  /** Blocks or opens one direction. */
  setBlocked(from: number, to: number, blocked: boolean): void {
    const index = from * this.nodes + to;
    if (this.blocked[index] === blocked) return;
    this.blocked[index] = blocked;
    if (!blocked) this.onOpened();
  }

  /** Nodes with different group numbers cannot reach each other in either direction. */
  partition(groupOf: (node: number) => number): void {
    for (let from = 0; from < this.nodes; from++) {
      for (let to = 0; to < this.nodes; to++) {
        this.blocked[from * this.nodes + to] = groupOf(from) !== groupOf(to);
      }
    }
    this.onOpened();
  }

  heal(): void {
    this.blocked.fill(false);
    this.onOpened();
  }

  delayMs(): number {
    const { latencyMinMs, latencyJitterMs, spikeChance, spikeMs } = this.profile;
    const delayMs = latencyMinMs + this.random.next() * latencyJitterMs;
    return spikeChance > 0 && this.random.chance(spikeChance) ? delayMs + this.random.next() * spikeMs : delayMs;
  }

  losesDatagram(): boolean {
    return this.profile.lossChance > 0 && this.random.chance(this.profile.lossChance);
  }

  duplicatesDatagram(): boolean {
    return this.profile.duplicateChance > 0 && this.random.chance(this.profile.duplicateChance);
  }

  /** Extra wait of a connection whose path has just opened: its next retransmission is some way off. */
  retransmissionMs(): number {
    return this.random.next() * 250;
  }

  /** Uniform integer below `bound`, for choices that belong to the network (e.g. how many bytes a cut lets through). */
  below(bound: number): number {
    return this.random.below(bound);
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }
}
