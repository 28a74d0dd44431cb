// Checksums of rows are those of zlib, whichever way they are computed: rows on disk were sealed with either.

import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../shared/random.js';
import { crcOf } from './row-checksum.js';

describe('crcOf', () => {
  it('is the CRC-32 of zlib for every length, start and checksum before it', () => {
    const random = new SeededRandom(1);
    for (let length = 0; length <= 300; length++) {
      const bytes = Uint8Array.from({ length }, () => random.below(256));
      const start = random.below(length + 1);
      const before = random.below(2 ** 32);
      expect(crcOf(bytes, start, before)).toBe(crc32(bytes.slice(start), before));
      expect(crcOf(bytes, 0, 0)).toBe(crc32(bytes));
    }
  });

  it('takes arrays that begin in the middle of their memory', () => {
    const memory = Uint8Array.from({ length: 400 }, (_, i) => i);
    for (const length of [10, 64, 65, 200]) {
      const bytes = memory.subarray(100, 100 + length);
      expect(crcOf(bytes, 4, 7)).toBe(crc32(bytes.slice(4), 7));
    }
  });
});
