import { expect, it } from 'vitest';
import { DurationHistogram, durationBoundsSeconds } from './duration-histogram.js';

it('DurationHistogram counts each duration in the first class that holds it', () => {
  const histogram = new DurationHistogram();
  for (const elapsedMs of [0, 0.5, 1, 1.001, 2, 8192, 8193, 1e9]) histogram.record(elapsedMs);
  expect(durationBoundsSeconds.at(-1)).toBe(8.192);
  expect(histogram.counts.slice(0, 3)).toEqual([3, 2, 0]);
  expect(histogram.counts.slice(-2)).toEqual([1, 2]);
  expect(histogram.sumSeconds).toBeCloseTo(1e6 + 16.3895, 3);
});
