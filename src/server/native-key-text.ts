// Keys as text by Node's own routine, which the tree takes instead of its portable one.

import type { Bytes } from '../shared/bytes.js';

/** Node has it on every Buffer; its types do not say so. */
const { latin1Slice } = Buffer.prototype as unknown as {
  readonly latin1Slice: (this: Bytes, start: number, end: number) => string;
};

/** One character per byte; equal to keyTextOf. */
export function nativeKeyText(key: Bytes): string {
  return latin1Slice.call(key, 0, key.length);
}
