// Bytes that must not be shown: hashes of passwords, keys. Whatever prints or serializes one by accident gets a mark
// instead of them.

import type { Bytes } from './bytes.js';

export class Secret {
  readonly #bytes: Bytes;

  constructor(bytes: Bytes) {
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.#bytes.length;
  }

  /** Only for what works with them: hashing, storing, sending to a peer. */
  reveal(): Bytes {
    return this.#bytes;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }
}
