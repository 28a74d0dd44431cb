import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeadlineHeap, type Due } from './deadline-heap.js';

test('DeadlineHeap gives the earliest first, whatever was placed, moved and removed before', () => {
  const action = fc.oneof(
    fc.record({ type: fc.constant('place' as const), which: fc.nat(20), dueMs: fc.nat(50) }),
    fc.record({ type: fc.constant('remove' as const), which: fc.nat(20), dueMs: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const items = Array.from({ length: 21 }, (): Due => ({ dueMs: 0, heapIndex: -1 }));
      const heap = new DeadlineHeap<Due>();
      const inside = new Set<Due>();
      for (const { type, which, dueMs } of actions) {
        const item = items[which] as Due;
        if (type === 'place') {
          heap.place(item, dueMs);
          inside.add(item);
        } else {
          heap.remove(item);
          inside.delete(item);
        }
        expect(heap.size).toBe(inside.size);
        expect(heap.peek()?.dueMs).toBe(
          inside.size === 0 ? undefined : Math.min(...[...inside].map((each) => each.dueMs)),
        );
      }
      const order: number[] = [];
      for (let next = heap.peek(); next !== undefined; next = heap.peek()) {
        order.push(next.dueMs);
        heap.remove(next);
        expect(next.heapIndex).toBe(-1);
      }
      expect(order).toEqual([...inside].map((each) => each.dueMs).sort((a, b) => a - b));
    }),
  );
});
