import { describe, expect, test } from 'vitest';
import { counterMax, counterReserve, type Epoch, type Zxid, zxidOf } from '../shared/ids.js';
import { nextZxidAfter } from './numbering.js';

function at(epoch: number, counter: number): Zxid {
  return zxidOf(epoch as Epoch, counter);
}

describe('nextZxidAfter()', () => {
  test('goes on inside an epoch and begins a new one at 1', () => {
    expect(nextZxidAfter(at(3, 7), 3 as Epoch)).toBe(at(3, 8));
    expect(nextZxidAfter(at(3, counterMax), 4 as Epoch)).toBe(at(4, 1));
  });

  test('gives nothing more when the counter of the epoch is nearly used up', () => {
    expect(nextZxidAfter(at(3, counterMax - counterReserve), 3 as Epoch)).not.toBeNull();
    expect(nextZxidAfter(at(3, counterMax - counterReserve + 1), 3 as Epoch)).toBeNull();
  });
});
