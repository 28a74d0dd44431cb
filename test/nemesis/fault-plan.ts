// The schedule of a nemesis run: which fault begins when, and how long it lasts. The seed decides it entirely; which node
// a rank means is known only when the fault begins, from who leads then.

import { SeededRandom } from '../../src/shared/random.js';
import { type DamageKind, damageKinds } from './disk-damage.js';

export const partitionShapes = [
  'leader alone',
  'one alone',
  'halves',
  'leader deaf',
  'leader mute',
  'one direction',
  'bridge',
] as const;
export type PartitionShape = (typeof partitionShapes)[number];

export type Fault =
  | { readonly kind: 'kill'; readonly victims: 'one' | 'leader' | 'minority' | 'majority' | 'all' }
  | { readonly kind: 'stop' }
  /** The stale leader is cut off while it is paused, and wakes up alone and unaware of its successor. */
  | { readonly kind: 'pause'; readonly victim: 'one' | 'leader' | 'stale leader' }
  | { readonly kind: 'partition'; readonly shape: PartitionShape }
  | { readonly kind: 'slow network'; readonly lossPercent: number; readonly delayMs: number }
  | { readonly kind: 'full disk' }
  | { readonly kind: 'damage'; readonly damage: DamageKind }
  | { readonly kind: 'lost disk' };

export const faultKinds = [
  'kill',
  'stop',
  'pause',
  'partition',
  'slow network',
  'full disk',
  'damage',
  'lost disk',
] as const;
export type FaultKind = (typeof faultKinds)[number];

export type FaultStep = Fault & {
  /** Since the faults began. */
  readonly atMs: number;
  /** How long the node is away, the network cut, the disk full. */
  readonly durationMs: number;
  /** Decides among the nodes that fit, and the finer choices of the fault. */
  readonly choice: number;
};

export interface PlanOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly durationMs: number;
  /** Only these kinds; undefined: all. */
  readonly only: readonly FaultKind[] | undefined;
}

/** As often as it is in here is how often a fault comes up. */
const deckOf = (nodes: number, random: SeededRandom): Fault[] => [
  { kind: 'kill', victims: 'one' },
  { kind: 'kill', victims: 'leader' },
  { kind: 'kill', victims: 'leader' },
  ...(nodes > 3 ? [{ kind: 'kill', victims: 'minority' } as const] : []),
  { kind: 'kill', victims: 'majority' },
  { kind: 'kill', victims: 'all' },
  { kind: 'stop' },
  { kind: 'pause', victim: 'one' },
  { kind: 'pause', victim: 'leader' },
  { kind: 'pause', victim: 'stale leader' },
  ...partitionShapes.filter((shape) => shape !== 'bridge' || nodes > 3).map(partition),
  { kind: 'slow network', lossPercent: 1 + random.below(25), delayMs: random.below(80) },
  { kind: 'full disk' },
  { kind: 'damage', damage: 'no manifest' },
  { kind: 'lost disk' },
];

function partition(shape: PartitionShape): Fault {
  return { kind: 'partition', shape };
}

const quietMsMax = 2_500;
const choices = 2 ** 32;
/** Of its time, where a fault begins before the one before is over. */
const overlapShare = 0.4;
const overlapChance = 0.4;

export function drawPlan({ seed, nodes, durationMs, only }: PlanOptions): FaultStep[] {
  const random = new SeededRandom(seed);
  const steps: FaultStep[] = [];
  let deck: Fault[] = [];
  let damages: DamageKind[] = [];
  let atMs = 500 + random.below(1_000);
  while (true) {
    if (deck.length === 0) {
      const wanted = deckOf(nodes, random).filter(({ kind }) => only?.includes(kind) ?? true);
      deck = shuffled(wanted, random);
    }
    let fault = deck.pop() ?? partition('halves');
    if (fault.kind === 'damage') {
      if (damages.length === 0) damages = shuffled([...damageKinds], random);
      fault = { kind: 'damage', damage: damages.pop() ?? 'no manifest' };
    }
    const lastsMs = durationOf(fault, random);
    if (atMs + lastsMs > durationMs) return steps;
    steps.push({ ...fault, atMs, durationMs: lastsMs, choice: random.below(choices) });
    const nextMs = random.chance(overlapChance) ? Math.floor(lastsMs * overlapShare) : lastsMs;
    atMs += nextMs + random.below(quietMsMax);
  }
}

/** Some pauses and partitions are longer than syncLimit, some shorter. */
function durationOf(fault: Fault, random: SeededRandom): number {
  switch (fault.kind) {
    case 'kill':
    case 'stop':
    case 'lost disk':
      return 50 + random.below(2_000);
    case 'damage':
      // Until it is rebuilt: only one disk is out at a time.
      return 4_000 + random.below(2_000);
    case 'pause':
      if (fault.victim === 'stale leader') return 2_500 + random.below(2_000);
      return random.chance(0.4) ? 50 + random.below(1_500) : 1_500 + random.below(4_500);
    case 'partition':
      return random.chance(0.3) ? 200 + random.below(1_800) : 2_000 + random.below(6_000);
    case 'slow network':
    case 'full disk':
      return 2_000 + random.below(5_000);
  }
}

function shuffled<T>(list: T[], random: SeededRandom): T[] {
  for (let i = list.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const [a, b] = [list[i], list[j]];
    if (a !== undefined && b !== undefined) [list[i], list[j]] = [b, a];
  }
  return list;
}

export function describeFault(fault: Fault): string {
  switch (fault.kind) {
    case 'kill':
      return `kill -9 ${fault.victims}`;
    case 'stop':
      return 'stop one (SIGTERM)';
    case 'pause':
      return `pause ${fault.victim}`;
    case 'partition':
      return `partition: ${fault.shape}`;
    case 'slow network':
      return `slow network: ${fault.lossPercent} % lost, ${fault.delayMs} ms late`;
    case 'full disk':
      return 'full disk';
    case 'damage':
      return `damage: ${fault.damage}`;
    case 'lost disk':
      return 'lost disk';
  }
}
