// Bytes as text and back, one character a byte: keys of the model, and values that name their write.

import type { Bytes } from '../shared/bytes.js';

/** A user key as text: one character a byte. */
export function keyText(key: Bytes): string {
  let text = '';
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Number of the write that a simulated client's value names. */
export function writeOf(value: Uint8Array): number {
  return Number.parseInt(keyText(value).slice(1), 10);
}
