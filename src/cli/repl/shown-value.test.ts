// Which values are shown whole, and where the others are cut.

import { describe, expect, it } from 'vitest';
import { shownPart, shownValue, shownValueBytesMax } from './shown-value.js';

describe('shownValue()', () => {
  it('shows values up to the limit whole', () => {
    const text = 'x'.repeat(shownValueBytesMax);
    expect(shownValue(Buffer.from(text))).toBe(text);
    expect(shownValue(Buffer.from(''))).toBe('');
  });

  it('cuts longer ones and tells what is missing', () => {
    const text = 'x'.repeat(shownValueBytesMax + 5);
    expect(shownValue(Buffer.from(text))).toBe(`${'x'.repeat(shownValueBytesMax)}… (5 of 2053 bytes not shown)`);
  });

  it('does not cut inside a character, and shows bytes that are no text', () => {
    for (let shift = 0; shift < 4; shift++) {
      const part = shownPart(Buffer.from(`${'a'.repeat(shift)}${'👍'.repeat(1_000)}`));
      expect(Buffer.from(part).toString()).not.toContain('\ufffd');
      expect(part.length).toBeGreaterThan(shownValueBytesMax - 4);
    }
    expect(shownPart(new Uint8Array(5_000).fill(0x80)).length).toBeGreaterThan(shownValueBytesMax - 4);
  });
});
