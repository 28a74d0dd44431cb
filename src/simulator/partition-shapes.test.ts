import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../shared/random.js';
import { calmNetwork, NetworkConditions } from './network-conditions.js';
import { bridge, halves, isolation, oneWay, oneWayHalves, ring, type Severed } from './partition-shapes.js';

const sizes = [3, 5, 7];

function severedPaths(nodes: number, severed: Severed): string[] {
  const all = Array.from({ length: nodes }, (_, i) => i);
  return all.flatMap((from) => all.filter((to) => from !== to && severed(from, to)).map((to) => `${from}→${to}`));
}

/** Nodes that this one reaches in both directions. */
function neighbours(nodes: number, severed: Severed, node: number): number[] {
  return Array.from({ length: nodes }, (_, other) => other).filter(
    (other) => other !== node && !severed(node, other) && !severed(other, node),
  );
}

function each(check: (nodes: number, random: SeededRandom) => void): void {
  for (const nodes of sizes) for (let seed = 0; seed < 50; seed++) check(nodes, new SeededRandom(seed));
}

describe('partitions', () => {
  it('of two halves sever both directions, one-way ones at most one', () => {
    each((nodes, random) => {
      const both = halves(nodes, random);
      for (const path of severedPaths(nodes, both)) {
        const [from, to] = path.split('→').map(Number) as [number, number];
        expect(both(to, from)).toBe(true);
      }
      const single = oneWayHalves(nodes, random);
      for (const path of severedPaths(nodes, single)) {
        const [from, to] = path.split('→').map(Number) as [number, number];
        expect(single(to, from)).toBe(false);
      }
      expect(severedPaths(nodes, oneWay(nodes, random))).toHaveLength(1);
    });
  });

  it('of a bridge leave one node that reaches all', () => {
    each((nodes, random) => {
      const severed = bridge(nodes, random);
      const reached = Array.from({ length: nodes }, (_, node) => neighbours(nodes, severed, node).length);
      expect(reached).toContain(nodes - 1);
    });
  });

  it('of a ring leave everybody two neighbours, or one at the ends of three', () => {
    each((nodes, random) => {
      const severed = ring(nodes, random);
      const reached = Array.from({ length: nodes }, (_, node) => neighbours(nodes, severed, node).length);
      expect([...reached].sort()).toEqual(nodes === 3 ? [1, 1, 2] : reached.map(() => 2));
    });
  });
});

describe('NetworkConditions', () => {
  it('opens a path when every fault that severed it is repaired', () => {
    const conditions = new NetworkConditions(3, calmNetwork, new SeededRandom(1));
    let opened = 0;
    conditions.onOpened = () => {
      opened += 1;
    };
    const repairFirst = conditions.sever(isolation(new Set([0])));
    const repairSecond = conditions.sever((from) => from === 0);
    repairFirst();
    repairFirst();
    expect([conditions.isBlocked(0, 1), conditions.isBlocked(1, 0)]).toEqual([true, false]);
    repairSecond();
    expect(conditions.isBlocked(0, 1)).toBe(false);
    expect(opened).toBe(2);
  });

  it('heals at once, and repairs of what was severed before change nothing later', () => {
    const conditions = new NetworkConditions(3, calmNetwork, new SeededRandom(1));
    const repair = conditions.sever(isolation(new Set([0])));
    conditions.heal();
    expect(conditions.isBlocked(0, 1)).toBe(false);
    conditions.sever(isolation(new Set([1])));
    repair();
    expect(conditions.isBlocked(0, 1)).toBe(true);
  });
});
