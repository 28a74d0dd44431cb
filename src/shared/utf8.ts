// Text as UTF-8 in pure code, where there is no TextEncoder: names of users and roles. For short text; not for the hot
// path.

import type { Bytes } from './bytes.js';

const replacement = 0xfffd;

/** Half a surrogate pair becomes U+FFFD, as with TextEncoder. */
export function utf8Bytes(text: string): Bytes {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? replacement;
    const code = point >= 0xd800 && point <= 0xdfff ? replacement : point;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), tail(code));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), tail(code >> 6), tail(code));
    else bytes.push(0xf0 | (code >> 18), tail(code >> 12), tail(code >> 6), tail(code));
  }
  return new Uint8Array(bytes);
}

/** The text whose UTF-8 these bytes are, which `utf8Bytes` made: nothing is checked. */
export function utf8Text(bytes: Bytes): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    let code = length === 1 ? first : first & (0xff >> (length + 1));
    for (let i = 1; i < length; i++) code = (code << 6) | ((bytes[at + i] ?? 0) & 0x3f);
    text += String.fromCodePoint(code);
    at += length;
  }
  return text;
}

function tail(code: number): number {
  return 0x80 | (code & 0x3f);
}
