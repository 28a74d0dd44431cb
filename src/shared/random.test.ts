import { expect, test } from 'vitest';
import { SeededRandom } from './random.js';

const draws = (seed: number): number[] => {
  const random = new SeededRandom(seed);
  return Array.from({ length: 2_000 }, () => random.below(10));
};

test('SeededRandom repeats itself for a seed and differs for another', () => {
  expect(draws(7)).toEqual(draws(7));
  expect(draws(7)).not.toEqual(draws(8));
  expect(draws(1)).not.toEqual(draws(1 + 2 ** 32));
});

test('SeededRandom covers its range without a strong bias', () => {
  const counts = new Array(10).fill(0);
  for (const value of draws(42)) counts[value]++;
  for (const count of counts) expect(count).toBeGreaterThan(130);
});
