import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoreError } from '../shared/errors.js';
import { toZxid } from '../shared/ids.js';
import { ZxidWaiters } from './zxid-waiters.js';

test('ZxidWaiters release everyone at or below the applied zxid, in zxid order, and nobody else', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 60 }),
      fc.integer({ min: 0, max: 50 }),
      (zxids, applied) => {
        const waiters = new ZxidWaiters();
        const released: number[] = [];
        for (const zxid of zxids) waiters.add(toZxid(zxid), 1_000, () => released.push(zxid));
        waiters.release(toZxid(applied));
        expect(released).toEqual(zxids.filter((zxid) => zxid <= applied).sort((a, b) => a - b));
        waiters.release(toZxid(50));
        expect(released).toEqual([...zxids].sort((a, b) => a - b));
        expect(waiters.length).toBe(0);
      },
    ),
  );
});

test('ZxidWaiters fail those whose deadline has passed and keep the others in order', () => {
  const waiters = new ZxidWaiters();
  const outcomes: [string, StoreError | null][] = [];
  waiters.add(toZxid(5), 100, (error) => outcomes.push(['a', error]));
  waiters.add(toZxid(6), 300, (error) => outcomes.push(['b', error]));
  waiters.add(toZxid(7), 200, (error) => outcomes.push(['c', error]));
  waiters.expire(99);
  expect(outcomes).toEqual([]);
  waiters.expire(200);
  expect(outcomes.map(([name, error]) => [name, error?.code])).toEqual([
    ['a', 'TIMEOUT'],
    ['c', 'TIMEOUT'],
  ]);
  waiters.release(toZxid(7));
  expect(outcomes.at(-1)).toEqual(['b', null]);
});
