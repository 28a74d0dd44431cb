import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LatencyHistogram } from './latency-histogram.js';

test('percentile() is exact below 128 microseconds', () => {
  const histogram = new LatencyHistogram();
  for (let value = 1; value <= 100; value++) histogram.record(value);
  expect(histogram.percentile(0.5)).toBe(50);
  expect(histogram.percentile(0.99)).toBe(99);
  expect(histogram.percentile(1)).toBe(100);
});

test('percentile() of nothing is 0', () => {
  expect(new LatencyHistogram().percentile(0.99)).toBe(0);
});

test('percentile() lies within two per cent of the sorted samples', () => {
  const samples = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(samples, fc.double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const histogram = new LatencyHistogram();
      for (const value of values) histogram.record(value);
      const sorted = [...values].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] ?? 0;
      const seen = histogram.percentile(share);
      expect(seen).toBeGreaterThanOrEqual(exact);
      expect(seen).toBeLessThanOrEqual(exact * 1.02 + 1);
    }),
  );
});

test('merge() counts the same as recording everything in one', () => {
  const [one, two, all] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
  for (let value = 0; value < 5_000; value += 7) {
    (value % 2 === 0 ? one : two).record(value);
    all.record(value);
  }
  one.merge(two);
  expect(one.summary()).toEqual(all.summary());
});
