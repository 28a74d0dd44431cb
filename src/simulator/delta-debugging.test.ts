import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { smallestFailing } from './delta-debugging.js';

const elements = Array.from({ length: 40 }, (_, i) => i);

describe('smallestFailing()', () => {
  it('finds exactly the elements that a failure needs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(39), { maxLength: 5 }), async (needed) => {
        const found = await smallestFailing(elements, async (some) => needed.every((one) => some.includes(one)));
        expect(found).toEqual([...needed].sort((a, b) => a - b));
      }),
    );
  });

  it('keeps what failed last when no more tests are allowed', async () => {
    let left = 3;
    const found = await smallestFailing(elements, async (some) => left-- > 0 && some.includes(7));
    expect(found).toContain(7);
    expect(found.length).toBeLessThan(elements.length);
  });

  it('tests nothing when there is nothing to leave out', async () => {
    expect(await smallestFailing([], async () => false)).toEqual([]);
  });
});
