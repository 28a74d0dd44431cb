// Which misspelt words get a suggestion, and which are too far from everything to get one.

import { describe, expect, it } from 'vitest';
import { nearestKey } from './nearest-key.js';

const known = ['Add', 'Set', 'Delete', 'Get', 'list', 'watch', 'status', 'use', 'DataDir', 'KeyBytesMax'];

describe('nearestKey()', () => {
  it.each([
    ['Gte', 'Get'],
    ['gett', 'Get'],
    ['lst', 'list'],
    ['STATSU', 'status'],
    ['sta', 'status'],
    ['DataDirectory', 'DataDir'],
    ['KeyByteMax', 'KeyBytesMax'],
  ])('takes %s for %s', (word, meant) => {
    expect(nearestKey(word, known)).toBe(meant);
  });

  it.each(['', 'x', 'xyzzy', 'qqqqqqqqqqqqqqqq', 'Weight', 'us?!', 'frobnicate'])(
    'suggests nothing for "%s"',
    (word) => {
      expect(nearestKey(word, known)).toBeUndefined();
    },
  );

  it('refuses a huge word without comparing it', () => {
    // Comparing it with all of these would take hours, which the limit of a test is far below.
    const many = Array.from({ length: 50 }, (_, index) => `key${index}`);
    expect(nearestKey('x'.repeat(3 * 2 ** 20), many)).toBeUndefined();
  });
});
