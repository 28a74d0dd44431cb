// Octets as text, one character each (ISO 8859-1). Without Buffer, which browsers lack, and TextDecoder, which reads
// another code under that name: what header blocks spell out is short, and this is as fast.

import type { Bytes } from '../shared/bytes.js';

/** Characters that are joined to the text at a time: each piece costs more than its characters. */
const large = 16;
const small = 4;

/** The text of bytes[start..end), all of which have to be there. */
export function latin1(bytes: Bytes, start: number, end: number): string {
  let text = '';
  let at = start;
  for (; at + large <= end; at += large) text += sixteen(bytes, at);
  for (; at + small <= end; at += small) text += four(bytes, at);
  for (; at < end; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}

function sixteen(bytes: Bytes, at: number): string {
  return String.fromCharCode(
    bytes[at] as number,
    bytes[at + 1] as number,
    bytes[at + 2] as number,
    bytes[at + 3] as number,
    bytes[at + 4] as number,
    bytes[at + 5] as number,
    bytes[at + 6] as number,
    bytes[at + 7] as number,
    bytes[at + 8] as number,
    bytes[at + 9] as number,
    bytes[at + 10] as number,
    bytes[at + 11] as number,
    bytes[at + 12] as number,
    bytes[at + 13] as number,
    bytes[at + 14] as number,
    bytes[at + 15] as number,
  );
}

function four(bytes: Bytes, at: number): string {
  return String.fromCharCode(
    bytes[at] as number,
    bytes[at + 1] as number,
    bytes[at + 2] as number,
    bytes[at + 3] as number,
  );
}
