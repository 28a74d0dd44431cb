// Keys as JavaScript strings, one character per byte, so that they can be Map keys. Such strings compare in the order of
// the bytes. Never used outside memory: disk and wire know bytes only.

import type { Bytes } from '../shared/bytes.js';

/** Turns a key into text. The server passes a native one (Buffer's latin1Slice); both give equal strings. */
export type KeyText = (key: Bytes) => string;

/** Longest piece given to one call of fromCharCode; argument lists have a limit. */
const pieceBytes = 4096;

export function keyTextOf(key: Bytes): string {
  if (key.length <= pieceBytes) return String.fromCharCode.apply(null, key as unknown as number[]);
  let text = '';
  for (let at = 0; at < key.length; at += pieceBytes) {
    text += String.fromCharCode.apply(null, key.subarray(at, at + pieceBytes) as unknown as number[]);
  }
  return text;
}

/** The key of a text, in memory of its own. */
export function keyOfText(text: string): Bytes {
  const key = new Uint8Array(text.length);
  for (let at = 0; at < key.length; at++) key[at] = text.charCodeAt(at);
  return key;
}
