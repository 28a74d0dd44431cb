// Every fault of a run as data, drawn from its seed before the run begins: what strikes, when, for how long, and a seed
// for the choices that it makes when it strikes. Any subset can be struck: no event's choices depend on another's.

import type { SeededRandom } from '../shared/random.js';
import type { FaultKind } from './run-plan.js';

export interface FaultEvent {
  /** Place in the whole schedule, from 0; names the event in reports and in `--only-faults`. */
  readonly index: number;
  readonly atMs: number;
  readonly kind: FaultKind;
  /** How long it lasts, or how far a clock jumps; 0 for what is over at once. */
  readonly durationMs: number;
  /** Of the event's own choices: which node, which link, which shape. */
  readonly seed: number;
}

/** Of a fault's duration: the shortest, the longest, and how long it may take when it takes very long. */
type Span = readonly [number, number, number];

const atOnce: Span = [0, 0, 0];
const spans: Readonly<Record<FaultKind, Span>> = {
  partition: [50, 1500, 12_000],
  partitionOneWay: [50, 1500, 12_000],
  bridge: [50, 1500, 12_000],
  ring: [50, 1500, 12_000],
  isolateLeader: [50, 1500, 12_000],
  freezeLeader: [50, 1500, 8_000],
  blockOneWay: [50, 1500, 12_000],
  flap: [300, 4000, 15_000],
  cutLink: atOnce,
  stallLink: [10, 800, 180_000],
  halfOpen: [200, 2000, 180_000],
  crash: [5, 1200, 10_000],
  crashLeader: [5, 1200, 10_000],
  crashAll: [5, 1200, 6_000],
  crashLoop: [200, 2000, 6_000],
  crashAtStep: [5, 800, 6_000],
  machineDown: [5, 1200, 10_000],
  pause: [10, 900, 8_000],
  clockJump: [10, 2000, 60_000],
  suspend: [10, 900, 8_000],
  slowDisk: [50, 800, 5_000],
  diskStall: [300, 1200, 6_000],
  diskFull: [50, 1200, 8_000],
  diskError: atOnce,
  syncError: atOnce,
  rotLog: [5, 800, 6_000],
  rotManifest: [5, 800, 6_000],
  loseDisk: [5, 800, 6_000],
};

export interface ScheduleOptions {
  readonly kinds: readonly FaultKind[];
  readonly fromMs: number;
  readonly untilMs: number;
  /** Mean time between two faults. */
  readonly everyMs: number;
  /** Of an event to last longer than every timeout. */
  readonly longChance: number;
}

/** A run that ends earlier has the same events up to its end. */
export function drawSchedule(random: SeededRandom, options: ScheduleOptions): FaultEvent[] {
  const { kinds, fromMs, untilMs, everyMs, longChance } = options;
  const events: FaultEvent[] = [];
  if (kinds.length === 0) return events;
  let atMs = fromMs;
  for (;;) {
    atMs += -Math.log(1 - random.next()) * everyMs;
    const kind = kinds[random.below(kinds.length)] as FaultKind;
    const [lowMs, highMs, longMs] = spans[kind];
    const long = random.chance(longChance);
    const share = random.next();
    const durationMs = long ? highMs + share * (longMs - highMs) : lowMs + share * (highMs - lowMs);
    const seed = random.nextUint32();
    if (atMs >= untilMs) return events;
    events.push({ index: events.length, atMs, kind, durationMs, seed });
  }
}

/** One line for people. */
export function describeEvent({ index, atMs, kind, durationMs }: FaultEvent): string {
  const lasting = durationMs === 0 ? '' : `, ${(durationMs / 1000).toFixed(3)} s`;
  return `#${index} at ${(atMs / 1000).toFixed(3)} s: ${kind}${lasting}`;
}
