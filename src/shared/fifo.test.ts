import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Fifo } from './fifo.js';

test('Fifo behaves as an array that is shifted and popped', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('push', 'push', 'shift', 'pop', 'clear'), { maxLength: 4000 }),
      (operations) => {
        const fifo = new Fifo<number>();
        let model: number[] = [];
        let next = 0;
        for (const operation of operations) {
          if (operation === 'push') {
            fifo.push(next);
            model.push(next++);
          } else if (operation === 'shift') expect(fifo.shift()).toBe(model.shift());
          else if (operation === 'pop') expect(fifo.pop()).toBe(model.pop());
          else if (next % 7 === 0) {
            fifo.clear();
            model = [];
          }
          expect(fifo.length).toBe(model.length);
          expect(fifo.peek()).toBe(model[0]);
          expect(fifo.peekLast()).toBe(model.at(-1));
        }
        expect([...fifo]).toEqual(model);
      },
    ),
    { numRuns: 50 },
  );
});

test('Fifo lets go of what was shifted while it stays non-empty', () => {
  const fifo = new Fifo<number>();
  for (let i = 0; i < 10_000; i++) fifo.push(i);
  for (let i = 0; i < 9_999; i++) expect(fifo.shift()).toBe(i);
  expect([...fifo]).toEqual([9_999]);
});
