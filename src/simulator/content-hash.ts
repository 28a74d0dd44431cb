// Fast hashes for comparing histories and for the trace of a run: 53 bits, not for secrets and not stored anywhere.

import type { Bytes } from '../shared/bytes.js';

/** Mixes a number into a running 53-bit hash. Fractions count to a millionth. */
export function mixNumber(hash: number, value: number): number {
  let low = hash | 0;
  let high = (hash / 2 ** 32) | 0;
  const whole = Math.floor(value);
  low = Math.imul(low ^ (whole | 0), 0x01000193) ^ (high >>> 3);
  high = Math.imul(high ^ ((whole / 2 ** 32) | 0) ^ (((value - whole) * 1e6) | 0), 0x85ebca6b) ^ (low >>> 5);
  low = Math.imul(low ^ high, 0xc2b2ae35);
  return (high & 0x1fffff) * 2 ** 32 + (low >>> 0);
}

/** Mixes bytes, and their count, into a running 53-bit hash. */
export function mixBytes(hash: number, bytes: Bytes): number {
  let low = hash | 0;
  let high = 0x9e3779b9 | 0;
  const { length } = bytes;
  for (let i = 0; i < length; i++) {
    const byte = bytes[i] as number;
    low = Math.imul(low ^ byte, 0x01000193);
    high = Math.imul(high + byte, 0x85ebca6b) ^ (high >>> 13);
  }
  return mixNumber(mixNumber(hash, (high & 0x1fffff) * 2 ** 32 + (low >>> 0)), length);
}

/** Mixes a short text into a running hash. */
export function mixText(hash: number, text: string): number {
  let result = mixNumber(hash, text.length);
  for (let i = 0; i < text.length; i++) result = mixNumber(result, text.charCodeAt(i));
  return result;
}

export function formatHash(hash: number): string {
  return hash.toString(16).padStart(14, '0');
}
