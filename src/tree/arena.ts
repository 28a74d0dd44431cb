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
  /** Where `reserve` made room, until it is called again. */
  memory: Uint8Array = emptyBytes;
  at = 0;

  /** Makes room for this many bytes at `at` in `memory`. */
  reserve(length: number): void {
    if (length >= ownBytesMin) {
      this.memory = new Uint8Array(length);
      this.at = 0;
      return;
    }
    if (this.used + length > this.slab.length) {
      this.slab = new Uint8Array(slabBytes);
      this.used = 0;
    }
    this.memory = this.slab;
    this.at = this.used;
    this.used += length;
  }

  copy(source: Bytes): Bytes {
    if (source.length === 0) return emptyBytes;
    this.reserve(source.length);
    const target = this.memory.subarray(this.at, this.at + source.length);
    target.set(source);
    return target;
  }
}
