import fc from 'fast-check';
import { expect, it } from 'vitest';
import { keyTextOf } from '../tree/key-text.js';
import { nativeKeyText } from './native-key-text.js';

it('nativeKeyText() gives what keyTextOf() gives', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), (key) => {
      expect(nativeKeyText(key)).toBe(keyTextOf(key));
      expect(nativeKeyText(Buffer.from(key))).toBe(keyTextOf(key));
    }),
  );
});
