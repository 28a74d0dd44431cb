// Shapes in which a network falls apart, each as a question: does nothing pass from this node to that one? Pure.

import type { SeededRandom } from '../shared/random.js';

/** True: nothing passes in this direction. */
export type Severed = (from: number, to: number) => boolean;

/** Two groups that cannot reach each other. */
export function halves(nodes: number, random: SeededRandom): Severed {
  const groups = Array.from({ length: nodes }, () => random.below(2));
  return (from, to) => groups[from] !== groups[to];
}

/** One group hears the other, which hears nothing of it. */
export function oneWayHalves(nodes: number, random: SeededRandom): Severed {
  const groups = Array.from({ length: nodes }, () => random.below(2));
  return (from, to) => groups[from] === 0 && groups[to] === 1;
}

/** These nodes reach each other and nobody else. */
export function isolation(isolated: ReadonlySet<number>): Severed {
  return (from, to) => isolated.has(from) !== isolated.has(to);
}

/** Two groups that overlap in one node, which alone reaches everybody. */
export function bridge(nodes: number, random: SeededRandom): Severed {
  const middle = random.below(nodes);
  const apart = halves(nodes, random);
  return (from, to) => from !== middle && to !== middle && apart(from, to);
}

/** Everybody reaches two neighbours, in an order of its own. With three nodes, one of the three sides is missing. */
export function ring(nodes: number, random: SeededRandom): Severed {
  const places = Array.from({ length: nodes }, (_, index) => index);
  for (let i = nodes - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [places[i], places[j]] = [places[j] as number, places[i] as number];
  }
  const open = nodes === 3;
  return (from, to) => {
    const distance = Math.abs((places[from] as number) - (places[to] as number));
    return distance > 1 && (open || distance < nodes - 1);
  };
}

/** One direction between two nodes. */
export function oneWay(nodes: number, random: SeededRandom): Severed {
  const blockedFrom = random.below(nodes);
  const blockedTo = (blockedFrom + 1 + random.below(nodes - 1)) % nodes;
  return (from, to) => from === blockedFrom && to === blockedTo;
}
