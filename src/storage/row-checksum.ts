// CRC-32 of rows, as zlib computes it. Short rows are computed here: for them a call of zlib costs more than the work.

import { crc32 } from 'node:zlib';
import type { Bytes } from '../shared/bytes.js';

/** Up to here computing it here is the faster way; measured with Node 20. */
const loopBytesMax = 64;

const polynomial = 0xedb88320;
const table = Int32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ polynomial : rest >>> 1;
  return rest;
});

/** CRC-32, unsigned, of the bytes from `start` on, going on from that of what stands before them (0: nothing does). */
export function crcOf(bytes: Bytes, start: number, before: number): number {
  const length = bytes.length - start;
  if (length > loopBytesMax) {
    return crc32(start === 0 ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset + start, length), before);
  }
  let rest = ~before;
  for (let i = start; i < bytes.length; i++) {
    rest = (table[(rest ^ (bytes[i] as number)) & 0xff] as number) ^ (rest >>> 8);
  }
  return ~rest >>> 0;
}
