// What every decoder of strangers' bytes must stand: cuts at any length, changed and random bytes.

import fc from 'fast-check';
import { expect } from 'vitest';
import { WireError } from '../../src/wire/protobuf/wire-error.js';

export function concatenated(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}

/** Every proper prefix is refused with WireError. */
export function expectEveryCutRefused(bytes: Uint8Array, decode: (bytes: Uint8Array) => unknown): void {
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decode(bytes.subarray(0, length)), `cut to ${length} of ${bytes.length} bytes`).toThrow(WireError);
  }
}

/** Changed encodings and random bytes are decoded or refused with WireError; nothing else is ever thrown. */
export function expectOnlyWireErrors(encoded: fc.Arbitrary<Uint8Array>, decode: (bytes: Uint8Array) => unknown): void {
  const tolerant = (bytes: Uint8Array): void => {
    try {
      decode(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  };
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(encoded, changes, (bytes, list) => {
      const changed = bytes.slice();
      for (const [at, value] of list) changed[at % changed.length] = value;
      tolerant(changed);
    }),
    { numRuns: 500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), tolerant), { numRuns: 500 });
}
