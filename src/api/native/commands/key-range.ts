// A range as the client names it, as the service wants it.

import { emptyBytes, prefixEnd } from '../../../shared/bytes.js';
import type { WatchRequest } from '../../../tree/replicated-tree.js';
import type { NativeRange } from '../../../wire/native-messages.js';

export function watchRequestOf(range: NativeRange): WatchRequest {
  switch (range.type) {
    case 'single':
      return { from: range.key, to: undefined, single: true };
    case 'prefix':
      return {
        from: range.prefix,
        to: range.prefix.length === 0 ? undefined : prefixEnd(range.prefix),
        single: false,
      };
    case 'range':
      return { from: range.from, to: range.to, single: false };
  }
}

/** Ends of a range to list; a single key ends just behind itself. */
export function endsOf(range: NativeRange): Pick<WatchRequest, 'from' | 'to'> {
  const { from, to, single } = watchRequestOf(range);
  return single ? { from, to: successorOf(from) } : { from, to };
}

/** The least key greater than this one. */
function successorOf(key: Uint8Array): Uint8Array {
  const successor = new Uint8Array(key.length + 1);
  successor.set(key);
  return key.length === 0 ? emptyBytes : successor;
}
