import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8Bytes, utf8Text } from './utf8.js';

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
);

describe('utf8', () => {
  it('utf8Bytes() gives what TextEncoder gives, halves of surrogate pairs included', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(utf8Bytes(value)).toEqual(new TextEncoder().encode(value));
      }),
    );
  });

  it('utf8Text() gives back the text', () => {
    fc.assert(
      fc.property(text, (value) => {
        const bytes = utf8Bytes(value);
        expect(utf8Text(bytes)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
      }),
    );
  });
});
