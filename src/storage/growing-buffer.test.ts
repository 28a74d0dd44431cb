// What GrowingBuffer writes, ByteCursor reads back.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteCursor, GrowingBuffer } from './growing-buffer.js';

describe('GrowingBuffer and ByteCursor', () => {
  it('give back every signed 64-bit number', () => {
    const edges = [0n, 1n, -1n, 127n, 128n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)];
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })), (drawn) => {
        const numbers = [...edges, ...drawn];
        const buffer = new GrowingBuffer(1);
        for (const number of numbers) buffer.varint64(number);
        const cursor = new ByteCursor(buffer.view());
        expect(numbers.map(() => cursor.varint64())).toEqual(numbers);
        expect(cursor.done).toBe(true);
      }),
    );
  });

  it('give back every safe integer that is not negative', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
        const buffer = new GrowingBuffer(1);
        for (const number of [...numbers, Number.MAX_SAFE_INTEGER]) buffer.varint(number);
        const cursor = new ByteCursor(buffer.view());
        for (const number of [...numbers, Number.MAX_SAFE_INTEGER]) expect(cursor.varint()).toBe(number);
        expect(cursor.done).toBe(true);
      }),
    );
  });
});
