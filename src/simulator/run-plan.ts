// Everything that a seed decides before a run begins: how many clients of which kind, how the network, the disks and the
// clocks behave, how small the limits are, and which faults may strike. Pure draws; nothing happens here.

import { type Limits, limits } from '../config/limits.js';
import { defaultTiming, type TimingConfig } from '../config/node-config.js';
import type { SeededRandom } from '../shared/random.js';
import type { NetworkProfile } from './network-conditions.js';
import type { ClientSettings } from './simulated-client.js';
import type { ClockSkew } from './virtual-clock.js';

/** Kinds of faults; a run draws from those that are allowed. */
export const faultKinds = [
  /** Two groups that cannot reach each other. */
  'partition',
  /** One of two groups hears nothing of the other. */
  'partitionOneWay',
  /** Two groups that overlap in one node. */
  'bridge',
  /** Everybody reaches two neighbours only. */
  'ring',
  'isolateLeader',
  /** The leader stands still, isolated. */
  'freezeLeader',
  /** One direction between two nodes. */
  'blockOneWay',
  /** A minority is isolated again and again. */
  'flap',
  'cutLink',
  /** One direction of a connection holds everything back. */
  'stallLink',
  /** One side of a connection is gone, and the other is not told. */
  'halfOpen',
  'crash',
  'crashLeader',
  'crashAll',
  /** Crashes again and again while it recovers and synchronizes. */
  'crashLoop',
  /** Crashes at some step of its next disk operations. */
  'crashAtStep',
  'machineDown',
  'pause',
  /** A node's clock jumps forward. */
  'clockJump',
  /** A node stands still, and its clock with it. */
  'suspend',
  'slowDisk',
  /** No disk operation of a node ends before the stall does. */
  'diskStall',
  'diskFull',
  'diskError',
  /** What was written is not brought to the platter, though it can be read as if it were. */
  'syncError',
  /** A bit of the log flips while the machine is off. */
  'rotLog',
  'rotManifest',
  'loseDisk',
] as const;

export type FaultKind = (typeof faultKinds)[number];

export interface FaultOptions {
  /** Faults that may strike; all by default. */
  readonly kinds?: readonly FaultKind[];
  /** Share of datagrams lost, 0..1; drawn per seed when undefined. */
  readonly lossChance?: number;
  /** Of the drawn schedule only the events with these indexes strike; all when undefined. */
  readonly only?: readonly number[];
}

/** Share of the runs whose ensemble begins with a snapshot. */
const restoredChance = 0.15;

export interface DiskProfile {
  readonly delayMinMs: number;
  readonly delayJitterMs: number;
  readonly spikeChance: number;
  readonly spikeMs: number;
}

export interface RunPlan {
  readonly network: NetworkProfile;
  readonly disk: DiskProfile;
  readonly skews: readonly ClockSkew[];
  readonly timing: TimingConfig;
  readonly limits: Limits;
  readonly clients: number;
  readonly client: ClientSettings;
  readonly watchers: number;
  /** Clients that hold leases and make transactions. */
  readonly holders: number;
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults: from hardly a moment's peace to now and then. */
  readonly faultEveryMs: number;
  /** Of a fault to last longer than every timeout. */
  readonly longFaultChance: number;
  /** Nothing strikes before. */
  readonly faultsFromMs: number;
  /** At the end a quorum is healed first, and has to make progress while the others stay away. */
  readonly quorumFirst: boolean;
  /** Mean time between two compactions of history; 0 = none. */
  readonly compactEveryMs: number;
  /** Indexes of the members that were restored from a snapshot before they first started. */
  readonly restored: readonly number[];
}

export function drawPlan(random: SeededRandom, nodes: number, options: FaultOptions): RunPlan {
  const between = (low: number, high: number): number => low + random.next() * (high - low);
  const allowed = options.kinds ?? faultKinds;
  const lonely = allowed[random.below(Math.max(1, allowed.length))];
  const some = allowed.filter(() => random.chance(0.6));
  const chosen = random.chance(0.1) && lonely !== undefined ? [lonely] : some;
  const lossChance = random.chance(0.5) ? between(0, 0.3) : 0;
  const slow = random.chance(0.3);
  const plan: RunPlan = {
    network: {
      lossChance: options.lossChance ?? lossChance,
      duplicateChance: random.chance(0.3) ? between(0, 0.1) : 0,
      latencyMinMs: between(0.05, 1),
      latencyJitterMs: slow ? between(1, 15) : between(0.1, 2),
      spikeChance: random.chance(0.4) ? between(0, 0.02) : 0,
      spikeMs: between(5, 120),
      lateChance: random.chance(0.3) ? between(0, 0.05) : 0,
      lateMs: 180_000,
    },
    disk: {
      delayMinMs: between(0.05, 1),
      delayJitterMs: between(0.1, slow ? 10 : 2),
      spikeChance: random.chance(0.3) ? between(0, 0.02) : 0,
      spikeMs: between(5, 100),
    },
    skews: Array.from({ length: nodes }, () => ({
      originMs: between(0, 1e6),
      rate: random.chance(0.3) ? between(0.95, 1.05) : 1,
    })),
    timing: drawTiming(random),
    limits: drawLimits(random),
    clients: 2 + random.below(5),
    client: {
      lanes: 1 + random.below(3),
      keys: 2 + random.below(9),
      thinkMs: between(15, 60),
      timeoutMs: between(200, 900),
      attemptsMax: 2 + random.below(12),
      valueBytesMax: 8 + random.below(200),
    },
    watchers: 2,
    faults: chosen,
    faultEveryMs: 150 * 30 ** random.next(),
    longFaultChance: random.chance(0.5) ? between(0, 0.15) : 0,
    faultsFromMs: random.chance(0.3) ? 0 : between(200, 1000),
    quorumFirst: random.chance(0.5),
    compactEveryMs: random.chance(0.3) ? between(300, 1500) : 0,
    holders: 1 + random.below(3),
    restored: random.chance(restoredChance) ? drawRestored(random, nodes) : [],
  };
  return plan;
}

/** One of them at least. */
function drawRestored(random: SeededRandom, nodes: number): readonly number[] {
  const first = random.below(nodes);
  const others = random.next();
  return Array.from({ length: nodes }, (_, index) => index).filter((index) => index === first || random.chance(others));
}

function drawTiming(random: SeededRandom): TimingConfig {
  const syncLimitMs = 250 + random.below(250);
  return {
    ...defaultTiming,
    tickMs: 20,
    pingIntervalMs: 50,
    syncLimitMs,
    initLimitMs: syncLimitMs * 4,
    electionFinalizeMs: 10 + random.below(60),
    electionResendMinMs: 20 + random.below(20),
    electionResendMaxMs: 80 + random.below(120),
    flushIntervalMs: 50 + random.below(500),
    leaseCheckpointIntervalMs: 500 + random.below(3_000),
  };
}

function drawLimits(random: SeededRandom): Limits {
  return {
    ...limits,
    batchEntriesMax: 1 + random.below(16),
    batchesInFlightMax: 1 + random.below(4),
    prepareQueueMax: random.chance(0.1) ? 2 : 1000,
    overlayFlushBytes: 500 + random.below(8_000),
    overlayFlushVersions: 5 + random.below(100),
    overlayBytesMax: 4_000 + random.below(64_000),
    historyRowsMax: 2 + random.below(20),
    compactVersionsMax: 1 + random.below(20),
    logSegmentBytes: 300 + random.below(3_000),
    logRetainBytesMax: random.chance(0.5) ? random.below(3_000) : 1_000_000,
    snapshotChunkBytes: 100 + random.below(2_000),
  };
}
