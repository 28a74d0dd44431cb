// Text in messages as UTF-8. The coder objects exist in Node and in browsers alike; they hold no state between calls.

import type { Bytes } from '../../shared/bytes.js';
import { WireError } from './wire-error.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function utf8Encode(text: string): Bytes {
  return encoder.encode(text);
}

/** Throws WireError for bytes that are no UTF-8. */
export function utf8Decode(bytes: Bytes): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new WireError('Cannot decode text: not valid UTF-8', { cause });
  }
}
