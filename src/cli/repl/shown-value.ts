// Values as the interactive client shows them: what is longer than a screen or so is cut, and its length is told. The
// one-shot commands print every byte.

import { printable } from '../output.js';

/** A longer value is cut to this, bytes. */
export const shownValueBytesMax = 2 * 2 ** 10;

/** The part of a value that is shown; never ends inside a character. */
export function shownPart(value: Uint8Array): Uint8Array {
  if (value.length <= shownValueBytesMax) return value;
  let end = shownValueBytesMax;
  // A character of UTF-8 has at most three bytes that continue it.
  while (end > shownValueBytesMax - 3 && ((value[end] ?? 0) & 0xc0) === 0x80) end--;
  return value.subarray(0, end);
}

/** What stands behind a value that was cut: `` for others. */
export function cutMark(value: Uint8Array): string {
  const left = value.length - shownPart(value).length;
  return left === 0 ? '' : `… (${left} of ${value.length} bytes not shown)`;
}

/** On a line with others. */
export function shownValue(value: Uint8Array): string {
  return `${printable(shownPart(value))}${cutMark(value)}`;
}
