import { expect, it } from 'vitest';
import { CrowdByAddress } from './crowd-by-address.js';

it('oldestOfMost() names the oldest of the address with the most', () => {
  const crowd = new CrowdByAddress<string>();
  expect(crowd.oldestOfMost()).toBeUndefined();
  crowd.add('member', 'm1');
  for (const item of ['s1', 's2', 's3']) crowd.add('stranger', item);
  crowd.add('member', 'm2');
  expect(crowd.size).toBe(5);
  expect(crowd.oldestOfMost()).toBe('s1');
  for (const item of ['s1', 's2', 's1']) crowd.delete(item);
  expect(crowd.oldestOfMost()).toBe('m1');
  for (const item of ['m1', 'm2', 's3']) crowd.delete(item);
  expect(crowd.size).toBe(0);
  expect(crowd.oldestOfMost()).toBeUndefined();
});
