import { expect, test } from 'vitest';
import { counterMax, counterOf, epochMax, epochOf, formatZxid, toEpoch, toZxid, zxidOf } from './ids.js';

test('a zxid holds its epoch and counter, up to the greatest of both', () => {
  for (const [epoch, counter] of [
    [0, 0],
    [1, 1],
    [3, counterMax],
    [epochMax, counterMax],
  ] as const) {
    const zxid = zxidOf(toEpoch(epoch), counter);
    expect(Number.isSafeInteger(zxid)).toBe(true);
    expect([epochOf(zxid), counterOf(zxid)]).toEqual([epoch, counter]);
  }
  expect(formatZxid(zxidOf(toEpoch(5), 12))).toBe('5.12');
});

test('zxids order by epoch first, as numbers and not as text', () => {
  expect(zxidOf(toEpoch(10), 1)).toBeGreaterThan(zxidOf(toEpoch(9), counterMax));
});

test('what is no id is refused', () => {
  expect(() => toEpoch(epochMax + 1)).toThrow(/epoch/);
  expect(() => toZxid(2 ** 53)).toThrow(/zxid/);
  expect(() => zxidOf(toEpoch(1), counterMax + 1)).toThrow(/counter/);
});
