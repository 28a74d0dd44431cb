// New ensembles of which any members were restored, started in any order, fast or slowly, with `bootstrap` or without: all
// end up with the snapshot, or those that were restored stop with theirs as it was. Random trouble is in schedules.test.ts.

import { describe, expect, test } from 'vitest';
import { epochZero, type Zxid, zxidOf, zxidZero } from '../../src/shared/ids.js';
import type { ZabTiming } from '../../src/zab/zab.js';
import { Cluster } from './cluster.js';

const timing: ZabTiming = {
  pingIntervalMs: 100,
  syncLimitMs: 1000,
  initLimitMs: 2500,
  electionFinalizeMs: 60,
  electionResendMinMs: 50,
  electionResendMaxMs: 500,
};

const ids = [1, 2, 3] as const;
const snapshot = zxidOf(epochZero, 7);
const another = zxidOf(epochZero, 8);
const orders = [
  [1, 2, 3],
  [1, 3, 2],
  [2, 1, 3],
  [2, 3, 1],
  [3, 1, 2],
  [3, 2, 1],
] as const;
/** Together; one after the other when those before may have elected somebody, or given that up again. */
const pausesMs = [0, 20, 300, 4000];

/** Nobody needs so long who will form an ensemble at all. */
const limitMs = 10_000;

interface Start {
  /** What each node was restored from; zxidZero: it is blank. */
  readonly seeds: readonly [Zxid, Zxid, Zxid];
  readonly order: readonly number[];
  readonly pauseMs: number;
  readonly bootstrap: boolean;
}

function startsOf(seedLists: readonly Start['seeds'][], bootstrap: boolean): readonly Start[] {
  return seedLists.flatMap((seeds) =>
    orders.flatMap((order) => pausesMs.map((pauseMs) => ({ seeds, order, pauseMs, bootstrap }))),
  );
}

function isSettled(cluster: Cluster): boolean {
  return cluster.leaders().length === 1 && [...cluster.nodes.values()].every((node) => node.serving || !node.state);
}

/** Once all that run serve, or not in time; whoever leads has proposed something. */
function formed({ seeds, order, pauseMs, bootstrap }: Start): Cluster {
  const cluster = new Cluster({ nodes: ids.length, seed: pauseMs + order.indexOf(1), timing });
  cluster.haltsAreExpected = true;
  ids.forEach((id, index) => {
    const node = cluster.node(id);
    const seed = seeds[index] ?? zxidZero;
    node.bootstrap = bootstrap;
    if (seed !== zxidZero) node.disk.restore(seed);
  });
  for (const id of order) {
    cluster.start(id);
    cluster.run(pauseMs);
  }
  for (const untilMs = cluster.nowMs + limitMs; cluster.nowMs < untilMs && !isSettled(cluster); ) cluster.run(250);
  for (const { id } of cluster.leaders()) cluster.propose(id);
  cluster.run(500);
  return cluster;
}

function stateOf(cluster: Cluster, id: number): { readonly runs: boolean; readonly seed: Zxid; readonly end: Zxid } {
  const { state, disk } = cluster.node(id);
  return { runs: state !== null, seed: disk.restored?.last ?? zxidZero, end: disk.appliedZxid };
}

const partly: readonly Start['seeds'][] = [
  [snapshot, zxidZero, zxidZero],
  [zxidZero, zxidZero, snapshot],
  [snapshot, zxidZero, snapshot],
  [snapshot, snapshot, snapshot],
];

describe('an ensemble of which some members were restored', () => {
  test('begins with the snapshot, whoever was restored and whoever starts first', () => {
    for (const start of startsOf(partly, false)) {
      const cluster = formed(start);
      const { committedZxid } = cluster.ledger;
      expect(committedZxid, JSON.stringify(start)).toBeGreaterThan(snapshot);
      for (const id of ids) {
        expect(stateOf(cluster, id), JSON.stringify(start)).toEqual({ runs: true, seed: snapshot, end: committedZxid });
      }
    }
  });

  test('begins without it only where bootstrap lets blank members, and then who was restored keeps what it has', () => {
    let without = 0;
    for (const start of startsOf(partly, true)) {
      const cluster = formed(start);
      const { committedZxid } = cluster.ledger;
      expect(committedZxid, JSON.stringify(start)).toBeGreaterThan(snapshot);
      const founded = cluster.ledger.committed[0]?.last === snapshot;
      if (!founded) without++;
      ids.forEach((id, index) => {
        const wasRestored = start.seeds[index] === snapshot;
        const expected =
          founded || !wasRestored
            ? { runs: true, seed: founded ? snapshot : zxidZero, end: committedZxid }
            : { runs: false, seed: snapshot, end: snapshot };
        expect(stateOf(cluster, id), JSON.stringify(start)).toEqual(expected);
      });
    }
    expect(without).toBeGreaterThan(0);
  });

  test('is not formed of members of different snapshots, and each keeps its own', () => {
    const seeds: Start['seeds'] = [snapshot, another, zxidZero];
    for (const start of startsOf([seeds, [another, snapshot, snapshot]], false)) {
      // Nothing ends such a run before its time.
      if (start.pauseMs > 20) continue;
      const cluster = formed(start);
      ids.forEach((id, index) => {
        const seed = start.seeds[index] ?? zxidZero;
        expect(stateOf(cluster, id), JSON.stringify(start)).toEqual({ runs: true, seed, end: seed });
      });
    }
  });
});
