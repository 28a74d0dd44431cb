// The weather of the simulated network: who can reach whom, how long a message takes, which datagram is lost. Holds no
// messages; every draw comes from one seeded generator.

import type { SeededRandom } from '../shared/random.js';
import type { Severed } from './partition-shapes.js';

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
  /** Now and then a datagram comes so late that it is of another age, up to `lateMs`. */
  readonly lateChance: number;
  readonly lateMs: number;
}

/** Longest time after which a connection to a machine that was off is reset. */
const resetLateMs = 120_000;

export const calmNetwork: NetworkProfile = {
  lossChance: 0,
  duplicateChance: 0,
  latencyMinMs: 0.1,
  latencyJitterMs: 0.4,
  spikeChance: 0,
  spikeMs: 0,
  lateChance: 0,
  lateMs: 0,
};

export class NetworkConditions {
  profile: NetworkProfile;
  readonly nodes: number;
  private readonly random: SeededRandom;
  /** severances[from * nodes + to]: faults that each let nothing pass in this direction. */
  private readonly severances: number[];
  /** Counts the healings: what was severed before one is open. */
  private healings = 0;
  /** Called when some direction opens again. */
  onOpened: () => void = () => {};

  constructor(nodes: number, profile: NetworkProfile, random: SeededRandom) {
    this.nodes = nodes;
    this.profile = profile;
    this.random = random;
    this.severances = new Array<number>(nodes * nodes).fill(0);
  }

  isBlocked(from: number, to: number): boolean {
    return this.severances[from * this.nodes + to] !== 0;
  }

  /** Severs these directions on top of what is severed. The returned function repairs this, once, and nothing else. */
  sever(severed: Severed): () => void {
    const { nodes, healings } = this;
    const paths: number[] = [];
    for (let from = 0; from < nodes; from++) {
      for (let to = 0; to < nodes; to++) if (from !== to && severed(from, to)) paths.push(from * nodes + to);
    }
    this.add(paths, 1);
    let repaired = false;
    return () => {
      if (repaired || this.healings !== healings) return;
      repaired = true;
      this.add(paths, -1);
      this.onOpened();
    };
  }

  heal(): void {
    this.healings += 1;
    this.severances.fill(0);
    this.onOpened();
  }

  delayMs(): number {
    const { latencyMinMs, latencyJitterMs, spikeChance, spikeMs } = this.profile;
    const delayMs = latencyMinMs + this.random.next() * latencyJitterMs;
    return spikeChance > 0 && this.random.chance(spikeChance) ? delayMs + this.random.next() * spikeMs : delayMs;
  }

  /** Extra time of a datagram that comes late; 0 for most. Short delays are as likely as long ones ten times as long. */
  latenessMs(): number {
    const { lateChance, lateMs } = this.profile;
    if (lateChance === 0 || !this.random.chance(lateChance)) return 0;
    return lateMs ** this.random.next();
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

  /** Until a peer of a machine that was off is told so: mostly with its next retransmission, sometimes minutes later. */
  resetMs(): number {
    return this.random.chance(0.1) ? this.random.next() * resetLateMs : this.retransmissionMs();
  }

  /** Uniform integer below `bound`, for choices that belong to the network (e.g. how many bytes a cut lets through). */
  below(bound: number): number {
    return this.random.below(bound);
  }

  chance(probability: number): boolean {
    return this.random.chance(probability);
  }

  private add(paths: readonly number[], change: number): void {
    for (const path of paths) this.severances[path] = (this.severances[path] as number) + change;
  }
}
