// Keys, values and ranges as callers of the client library write them, and what they are on the wire.

import { emptyBytes, prefixEnd } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';
import type { KeySelection, NativeRange } from '../wire/native-messages.js';
import { utf8Encode } from '../wire/protobuf/utf8.js';

/** Bytes, or text to be encoded as UTF-8. */
export type BytesLike = Uint8Array | string;

/** Which keys; all of them when empty. */
export interface RangeOptions {
  readonly key?: BytesLike;
  readonly prefix?: BytesLike;
  readonly from?: BytesLike;
  /** Exclusive. */
  readonly to?: BytesLike;
}

/** No key is empty, so none is before this one. */
const firstKey = new Uint8Array([0]);

export function bytesOf(value: BytesLike): Uint8Array {
  return typeof value === 'string' ? utf8Encode(value) : value;
}

export function revisionOf(value: number): Revision {
  if (Number.isSafeInteger(value) && value >= 0) return value as Revision;
  throw new StoreError('INVALID_ARGUMENT', `${value} is not a revision: expected an integer of at least 0`);
}

export function rangeOf(options: RangeOptions): NativeRange {
  if (options.key !== undefined) return { type: 'single', key: bytesOf(options.key) };
  if (options.prefix !== undefined) return { type: 'prefix', prefix: bytesOf(options.prefix) };
  const to = options.to === undefined ? undefined : bytesOf(options.to);
  return { type: 'range', from: options.from === undefined ? emptyBytes : bytesOf(options.from), to };
}

/** The same inside a transaction, where a range has a first key. */
export function selectionOf(options: RangeOptions): KeySelection {
  const range = rangeOf(options);
  switch (range.type) {
    case 'single':
      return { from: range.key, to: undefined, single: true };
    case 'prefix':
      return { from: orFirstKey(range.prefix), to: prefixEnd(range.prefix), single: false };
    case 'range':
      return { from: orFirstKey(range.from), to: range.to, single: false };
  }
}

function orFirstKey(key: Uint8Array): Uint8Array {
  return key.length === 0 ? firstKey : key;
}
