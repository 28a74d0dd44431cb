// Copies the bytes that the tree keeps into slabs of its own, so that a small key never pins the network buffer that it
// arrived in. Slabs are freed by the garbage collector once nothing refers to them; nothing is ever overwritten.

import type { Bytes } from '../shared/bytes.js';
import { emptyBytes } from '../shared/bytes.js';

const slabBytes = 128 * 1024;
/** Larger strings get memory of their own. */
const ownBytesMin = 16 * 1024;

export class Arena {
  private slab: Uint8Array = emptyBytes;
  private used = 0;

  copy(source: Bytes): Bytes {
    const length = source.length;
    if (length === 0) return emptyBytes;
    if (length >= ownBytesMin) return new Uint8Array(source);
    if (this.used + length > this.slab.length) {
      this.slab = new Uint8Array(slabBytes);
      this.used = 0;
    }
    const at = this.used;
    this.used = at + length;
    const target = this.slab.subarray(at, at + length);
    target.set(source);
    return target;
  }
}
