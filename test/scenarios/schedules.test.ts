// Random schedules: messages in any order between lanes, lost datagrams, cut and reset connections, crashes with part of
// what was in flight. The ledger checks safety at every step; at the end everything is healed and progress is demanded.

import { describe, expect, test } from 'vitest';
import { epochZero, zxidOf } from '../../src/shared/ids.js';
import { SeededRandom } from '../../src/shared/random.js';
import { describe as describeState } from '../../src/zab/invariants.js';
import { isVoter } from '../../src/zab/voters.js';
import type { ZabTiming } from '../../src/zab/zab.js';
import { Cluster } from './cluster.js';

/** Everything is given up soon, so that much happens in few steps. */
const timing: ZabTiming = {
  pingIntervalMs: 40,
  syncLimitMs: 400,
  initLimitMs: 2000,
  electionFinalizeMs: 20,
  electionResendMinMs: 20,
  electionResendMaxMs: 100,
};

const snapshot = zxidOf(epochZero, 77);

interface Schedule {
  /** Disks are lost, one at a time. */
  readonly wipes?: boolean;
  /** Some of the members, at least one, were restored from one snapshot; disks that were lost sometimes are again. */
  readonly restored?: boolean;
  /** Chance that a datagram is forged. */
  readonly forgery?: number;
  readonly nodes: number;
  readonly steps: number;
  /** Greater: more trouble. */
  readonly trouble: number;
}

function disturb(cluster: Cluster, random: SeededRandom, nodes: number): void {
  const a = 1 + random.below(nodes);
  const b = 1 + random.below(nodes);
  const node = cluster.node(a);
  switch (random.below(16)) {
    case 0:
    case 1:
      if (node.state !== null) cluster.crash(a, random.below(4), random.chance(0.5));
      return;
    case 2:
    case 3:
    case 4:
      if (node.state === null) cluster.start(a);
      return;
    case 5:
      if (a !== b) cluster.cut(random.chance(0.5) ? 'tcp' : 'udp', a, b);
      return;
    case 6:
    case 7:
    case 14:
    case 15:
      cluster.heal();
      return;
    case 8:
      if (a !== b) cluster.reset(a, b);
      return;
    case 9:
      cluster.stopDisk(a);
      return;
    case 10:
      for (let id = 1; id <= nodes; id++) cluster.startDisk(id);
      return;
    case 11:
      if (random.chance(0.1)) cluster.event(a, { type: 'abdicate', reason: 'chance' });
      else cluster.flush(a);
      return;
    case 12:
    case 13:
      cluster.isolate(cluster.leaders()[0]?.id ?? a);
      return;
  }
}

/** A node loses its disk, unless another one has not recovered from that yet. */
function wipe(cluster: Cluster, random: SeededRandom, schedule: Schedule): void {
  const { nodes } = schedule;
  const all = [...cluster.nodes.values()];
  if (all.some(({ disk }) => !isVoter(disk.record) || disk.record.currentEpoch === 0)) return;
  const id = 1 + random.below(nodes);
  if (cluster.node(id).state !== null) cluster.crash(id, 0, random.chance(0.5));
  cluster.wipe(id);
  if (schedule.restored === true && random.chance(0.5)) cluster.node(id).disk.restore(snapshot);
  cluster.start(id);
}

function runSchedule(seed: number, schedule: Schedule): Cluster {
  const { nodes } = schedule;
  const random = new SeededRandom(seed + 1_000_003);
  const cluster = new Cluster({ nodes, seed, timing });
  cluster.datagramLoss = random.chance(0.5) ? 0.2 : 0;
  cluster.forgery = schedule.forgery ?? 0;
  if (schedule.restored === true) restoreSome(cluster, random, nodes);
  for (let id = 1; id <= nodes; id++) cluster.start(id);
  // Ensembles that form in peace; restored ones are to form in trouble.
  if (schedule.restored !== true) cluster.run(300);
  for (let i = 0; i < schedule.steps; i++) {
    const draw = random.next();
    if (schedule.wipes === true && random.chance(0.003)) wipe(cluster, random, schedule);
    else if (draw < 0.02 * schedule.trouble) disturb(cluster, random, nodes);
    else if (draw < 0.14) proposeAnywhere(cluster, random, nodes);
    else if (draw < 0.17) cluster.confirm(1 + random.below(nodes));
    else if (draw < 0.25 || !cluster.arriveAtRandom()) cluster.tick();
  }
  return cluster;
}

function restoreSome(cluster: Cluster, random: SeededRandom, nodes: number): void {
  const first = 1 + random.below(nodes);
  for (let id = 1; id <= nodes; id++) {
    if (id === first || random.chance(0.5)) cluster.node(id).disk.restore(snapshot);
  }
}

function proposeAnywhere(cluster: Cluster, random: SeededRandom, nodes: number): void {
  const from = random.below(nodes);
  for (let i = 0; i < nodes; i++) if (cluster.propose(1 + ((from + i) % nodes), 1 + random.below(3))) return;
}

/** Heals everything and demands that all nodes serve and a new proposal is delivered everywhere. */
function demandProgress(cluster: Cluster): void {
  cluster.heal();
  cluster.datagramLoss = 0;
  cluster.forgery = 0;
  for (const { id, state } of cluster.nodes.values()) {
    cluster.startDisk(id);
    if (state === null) cluster.start(id);
  }
  const all = [...cluster.nodes.values()];
  const untilMs = cluster.nowMs + 60_000;
  while (cluster.nowMs < untilMs) {
    cluster.run(100);
    const epochs = new Set(all.map(({ disk }) => disk.record.currentEpoch));
    if (
      cluster.leaders().length === 1 &&
      epochs.size === 1 &&
      all.every(({ serving, disk }) => serving && isVoter(disk.record))
    )
      break;
  }
  const picture = all.map(({ state }) => (state === null ? 'down' : describeState(state))).join('\n');
  expect(cluster.leaders(), picture).toHaveLength(1);
  for (const { disk } of all) expect(isVoter(disk.record), picture).toBe(true);
  const leader = cluster.leaders()[0];
  expect(leader !== undefined && cluster.propose(leader.id), picture).toBe(true);
  cluster.run(500);
  for (const { disk, state } of all) {
    expect(disk.appliedZxid, `${picture}\n${state === null ? '' : describeState(state)}`).toBe(
      cluster.ledger.committedZxid,
    );
    expect(disk.applied.map(({ last }) => last)).toEqual(cluster.ledger.committed.map(({ last }) => last));
  }
}

/** SEED=n repeats one schedule, SCHEDULES=n runs more of them. */
function seeds(count: number): readonly number[] {
  const only = process.env['SEED'];
  if (only !== undefined) return [Number(only)];
  const wanted = Number(process.env['SCHEDULES'] ?? count);
  return Array.from({ length: wanted }, (_, index) => index + 1);
}

function runAll(count: number, schedule: Schedule): void {
  let committed = 0;
  let epochs = 0;
  for (const seed of seeds(count)) {
    try {
      const cluster = runSchedule(seed, schedule);
      demandProgress(cluster);
      committed += cluster.ledger.committed.length;
      epochs += Math.max(...[...cluster.nodes.values()].map(({ disk }) => disk.record.currentEpoch));
    } catch (error) {
      throw new Error(`Seed ${seed} of ${JSON.stringify(schedule)} failed`, { cause: error });
    }
  }
  expect(committed).toBeGreaterThan(0);
  if (process.env['SCHEDULES'] !== undefined) console.info(`${committed} batches committed, ${epochs} epochs`);
}

describe('random schedules', () => {
  test('three nodes under some trouble keep what was committed and recover', () => {
    runAll(60, { nodes: 3, steps: 2000, trouble: 1 });
  });

  test('three nodes under much trouble keep what was committed and recover', () => {
    runAll(60, { nodes: 3, steps: 2000, trouble: 4 });
  });

  test('three nodes that lose disks keep what was committed and count the returned again', () => {
    runAll(40, { nodes: 3, steps: 3000, trouble: 1, wipes: true });
  });

  test('three nodes that believe forged votes elect badly and stay safe', () => {
    runAll(40, { nodes: 3, steps: 2000, trouble: 3, forgery: 0.3 });
  });

  test('five nodes that believe forged votes elect badly and stay safe', () => {
    runAll(20, { nodes: 5, steps: 3000, trouble: 2, forgery: 0.05 });
  });

  test('three nodes of which some were restored found nothing without the snapshot, under much trouble', () => {
    runAll(40, { nodes: 3, steps: 2000, trouble: 4, restored: true });
  });

  test('three nodes of which some were restored, also anew after losing disks, keep the snapshot', () => {
    runAll(30, { nodes: 3, steps: 3000, trouble: 2, wipes: true, restored: true });
  });

  test('five nodes under trouble keep what was committed and recover', () => {
    runAll(40, { nodes: 5, steps: 3000, trouble: 2 });
  });
});
