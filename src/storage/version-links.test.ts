import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Revision } from '../shared/ids.js';
import { type Chain, emptyChain, extendChain, type Links } from './version-links.js';

function build(count: number): { chain: Chain; links: Map<number, Links> } {
  const links = new Map<number, Links>();
  let chain = emptyChain;
  for (let i = 1; i <= count; i++) {
    const extended = extendChain(chain, (i * 10) as Revision);
    chain = extended.chain;
    links.set(i * 10, extended.links);
  }
  return { chain, links };
}

describe('extendChain()', () => {
  it('links every version to the one before it', () => {
    const { links } = build(100);
    for (const [revision, { previous, jump }] of links) {
      expect(previous).toBe(revision - 10);
      expect(jump).toBeLessThanOrEqual(previous);
    }
  });

  it('gives the sizes of a skew-binary list: 1, 1+1, 3, 1+3, 1+1+3, 3+3, 7', () => {
    const roots = (count: number): readonly number[] => build(count).chain.roots;
    expect([1, 2, 3, 4, 5, 6, 7].map(roots)).toEqual([[10], [20, 10], [30], [40, 30], [50, 40, 30], [60, 30], [70]]);
  });

  it('reaches any version in logarithmically many steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, fraction) => {
        const { chain, links } = build(count);
        const bound = 2 * Math.log2(count + 2) + 1;
        expect(chain.roots.length).toBeLessThanOrEqual(bound);
        const at = Math.floor(fraction * count) * 10 + 5;
        let steps = 0;
        let revision: number = chain.roots[0] as Revision;
        while (revision > at) {
          const { previous, jump } = links.get(revision) as Links;
          revision = jump > at ? jump : previous;
          steps += 1;
        }
        expect(revision).toBe(at - 5);
        expect(steps).toBeLessThanOrEqual(2 * bound);
      }),
    );
  });
});
