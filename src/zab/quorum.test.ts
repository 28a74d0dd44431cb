import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Zxid } from '../shared/ids.js';
import { quorumDurable, quorumOf } from './quorum.js';

describe('quorumOf()', () => {
  test.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])('%i voters need %i', (voters, quorum) => {
    expect(quorumOf(voters)).toBe(quorum);
  });
});

describe('quorumDurable()', () => {
  test('is the greatest zxid that a quorum has reached', () => {
    const ends = fc.array(fc.nat(50), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(ends, fc.integer({ min: 1, max: 7 }), (values, quorum) => {
        const reached = quorumDurable([...values] as Zxid[], quorum);
        if (values.length < quorum) return reached === undefined;
        const holders = (zxid: number): number => values.filter((value) => value >= zxid).length;
        return reached !== undefined && holders(reached) >= quorum && holders(reached + 1) < quorum;
      }),
    );
  });
});
