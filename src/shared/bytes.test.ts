import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareBytes, copyBytes, equalBytes, prefixEnd } from './bytes.js';

const bytes = fc.uint8Array({ maxLength: 8 });

test('compareBytes() orders as Buffer.compare does', () => {
  fc.assert(
    fc.property(bytes, bytes, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
    }),
  );
});

test('copyBytes() shares no memory, not even with a Buffer, whose own slice() would', () => {
  const source = Buffer.from('abc');
  const copy = copyBytes(source.subarray(1));
  source.fill(0);
  expect([...copy]).toEqual([98, 99]);
});

test('prefixEnd() separates exactly the strings that start with the prefix from those after them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 4 }), bytes, (prefix, other) => {
      const end = prefixEnd(prefix);
      const starts = equalBytes(other.slice(0, prefix.length), prefix);
      const inside = compareBytes(prefix, other) <= 0 && (end === undefined || compareBytes(other, end) < 0);
      expect(inside).toBe(starts);
    }),
  );
  expect(prefixEnd(new Uint8Array([0xff, 0xff]))).toBeUndefined();
});
