import { describe, expect, it, vi } from 'vitest';
import type { StoreError } from '../shared/errors.js';
import { Arrival, ArrivalBudget } from './arrival-budget.js';

const kilobyte = 1_024;

interface Request {
  readonly arrival: Arrival;
  isRead: boolean;
  readonly events: string[];
}

function setup(totalBytesMax: number) {
  const budget = new ArrivalBudget(totalBytesMax);
  const begin = (address: string, bytes: number): Request => {
    const events: string[] = [];
    const host = {
      address,
      isRead: () => request.isRead,
      granted: () => void events.push('granted'),
      late: (error: StoreError) => void events.push(error.message),
    };
    const request: Request = { arrival: new Arrival(budget, 30_000, host), events, isRead: true };
    if (request.arrival.begin(bytes)) events.push('granted');
    return request;
  };
  return { begin };
}

function withFakeTime(test: () => void): () => void {
  return () => {
    vi.useFakeTimers();
    try {
      test();
    } finally {
      vi.useRealTimers();
    }
  };
}

const gaveWay = 'A request gave way to others: it had room for long and has not arrived';

describe('ArrivalBudget', () => {
  it('looks at few of those who wait when one of them ends, however many there are', () => {
    const budget = new ArrivalBudget(kilobyte);
    let looks = 0;
    const host = {
      get address() {
        looks += 1;
        return 'a';
      },
      isRead: () => true,
      granted: () => undefined,
      late: () => undefined,
    };
    const arrivals = Array.from({ length: 2_000 }, () => new Arrival(budget, 30_000, host));
    expect(arrivals.filter((arrival) => arrival.begin(kilobyte))).toHaveLength(1);
    for (const arrival of arrivals.toReversed()) arrival.end();
    expect(looks).toBeLessThan(20 * arrivals.length);
  });

  it(
    'gives way to others what one address has for long, its first one first, and no more than is needed',
    withFakeTime(() => {
      const { begin } = setup(4 * kilobyte);
      const half = Array.from({ length: 4 }, () => begin('a', kilobyte));
      const other = begin('b', kilobyte);
      vi.advanceTimersByTime(1_000);
      expect(other.events).toEqual([]);
      vi.advanceTimersByTime(2_000);
      expect(other.events).toEqual(['granted']);
      expect(half.map(({ events }) => events.at(-1))).toEqual([gaveWay, 'granted', 'granted', 'granted']);
      vi.advanceTimersByTime(10_000);
      expect(half[1]?.events).toEqual(['granted']);
    }),
  );

  it(
    'takes from the address that has most, and nothing from who has had it for a moment',
    withFakeTime(() => {
      const { begin } = setup(4 * kilobyte);
      const slow = begin('slow', kilobyte);
      vi.advanceTimersByTime(5_000);
      const many = Array.from({ length: 3 }, () => begin('many', kilobyte));
      const other = begin('other', kilobyte);
      vi.advanceTimersByTime(1_500);
      expect(other.events).toEqual([]);
      vi.advanceTimersByTime(1_500);
      expect(other.events).toEqual(['granted']);
      expect(slow.events).toEqual(['granted']);
      expect(many[0]?.events).toEqual(['granted', gaveWay]);
    }),
  );

  it(
    'takes nothing from who is not read, and leaves it its time after that',
    withFakeTime(() => {
      const { begin } = setup(2 * kilobyte);
      const held = begin('a', 2 * kilobyte);
      held.isRead = false;
      const other = begin('b', kilobyte);
      vi.advanceTimersByTime(10_000);
      expect(other.events).toEqual([]);
      held.isRead = true;
      vi.advanceTimersByTime(1_000);
      expect(other.events).toEqual([]);
      vi.advanceTimersByTime(2_000);
      expect([held.events.at(-1), other.events]).toEqual([gaveWay, ['granted']]);
    }),
  );

  it(
    'lets those who wait have room by turns of their addresses',
    withFakeTime(() => {
      const { begin } = setup(2 * kilobyte);
      const flood = Array.from({ length: 20 }, () => begin('a', kilobyte));
      const other = begin('b', kilobyte);
      flood[0]?.arrival.end();
      expect(other.events).toEqual(['granted']);
      expect(flood[2]?.events).toEqual([]);
      other.arrival.end();
      expect(flood[2]?.events).toEqual(['granted']);
    }),
  );

  it(
    'leaves to one address all room as long as nobody waits for it',
    withFakeTime(() => {
      const { begin } = setup(4 * kilobyte);
      const all = Array.from({ length: 4 }, () => begin('a', kilobyte));
      vi.advanceTimersByTime(29_000);
      for (const { events } of all) expect(events).toEqual(['granted']);
      vi.advanceTimersByTime(1_000);
      for (const { events } of all) expect(events.at(-1)).toContain('has not arrived within 30000 ms');
    }),
  );

  it(
    'forgets who has gone while waiting',
    withFakeTime(() => {
      const { begin } = setup(kilobyte);
      const first = begin('a', kilobyte);
      const gone = begin('b', kilobyte);
      gone.arrival.end();
      vi.advanceTimersByTime(10_000);
      expect(first.events).toEqual(['granted']);
      first.arrival.end();
      expect(gone.events).toEqual([]);
      expect(begin('c', kilobyte).events).toEqual(['granted']);
    }),
  );
});
