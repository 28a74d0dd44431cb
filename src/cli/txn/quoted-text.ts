// Text in quotes as etcdctl takes it, which is Go's: "…" with escapes, which may stand for any bytes, or `…` as it is.

import { StoreError } from '../../shared/errors.js';

/** Single characters after a backslash. */
const plainEscapes: Readonly<Record<string, number>> = {
  a: 0x07,
  b: 0x08,
  f: 0x0c,
  n: 0x0a,
  r: 0x0d,
  t: 0x09,
  v: 0x0b,
  '\\': 0x5c,
  '"': 0x22,
};

const quoted = /"[^"\\]*(?:\\.[^"\\]*)*"|`[^`]*`/y;
/** An escape, or a run of what stands for itself. */
const piece = /\\(?:x([0-9a-f]{2})|([0-7]{3})|u([0-9a-f]{4})|U([0-9a-f]{8})|([abfnrtv\\"]))|[^\\]+/giy;

export interface QuotedText {
  readonly bytes: Uint8Array;
  /** Index behind the closing quote. */
  readonly end: number;
}

/** Undefined: no text in quotes begins at `start`. Throws StoreError for an escape that there is not. */
export function quotedTextAt(line: string, start: number): QuotedText | undefined {
  quoted.lastIndex = start;
  const match = quoted.exec(line)?.[0];
  if (match === undefined) return undefined;
  const inner = match.slice(1, -1);
  return { bytes: match.startsWith('`') ? Buffer.from(inner) : unescaped(inner), end: start + match.length };
}

function unescaped(text: string): Uint8Array {
  const pieces: Uint8Array[] = [];
  piece.lastIndex = 0;
  while (piece.lastIndex < text.length) {
    const at = piece.lastIndex;
    const match = piece.exec(text);
    if (match === null) throw noEscape(text.slice(at, at + 2));
    pieces.push(bytesOfPiece(match));
  }
  return Buffer.concat(pieces);
}

function bytesOfPiece([whole, hex, octal, short, long, plain]: RegExpExecArray): Uint8Array {
  if (hex !== undefined) return Buffer.of(Number.parseInt(hex, 16));
  if (octal !== undefined) {
    const byte = Number.parseInt(octal, 8);
    if (byte > 0xff) throw noEscape(whole);
    return Buffer.of(byte);
  }
  const digits = short ?? long;
  if (digits !== undefined) {
    const point = Number.parseInt(digits, 16);
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw noEscape(whole);
    return Buffer.from(String.fromCodePoint(point));
  }
  const byte = plain === undefined ? undefined : plainEscapes[plain];
  if (byte !== undefined) return Buffer.of(byte);
  if (plain !== undefined) throw noEscape(whole);
  return Buffer.from(whole);
}

function noEscape(text: string): StoreError {
  return new StoreError('INVALID_ARGUMENT', `Cannot read text in quotes: ${text} is no escape`);
}
