// Bytes as text and back, one character a byte: keys of the model, and values that name their write.

import type { Bytes } from '../shared/bytes.js';

/** A user key as text: one character a byte. */
export function keyText(key: Bytes): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const digitZero = 0x30;

/** Number of the write that a simulated client's value names: the digits behind its first byte. */
export function writeOf(value: Uint8Array): number {
  let number = 0;
  for (let i = 1; i < value.length; i++) {
    const digit = (value[i] as number) - digitZero;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}
