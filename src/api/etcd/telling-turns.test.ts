import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type CollectingStream, streamsToldAtOnce, TellingTurns } from './telling-turns.js';

function stream(tell: () => void, failed = (error: unknown): void => expect.fail(String(error))): CollectingStream {
  return { tell, failed };
}

describe('TellingTurns', () => {
  it('has thousands of streams tell in order, so many in a turn, and those of one turn before it ends', async () => {
    const turns = new TellingTurns();
    const told: number[] = [];
    const count = streamsToldAtOnce * 3 + 1;
    for (let index = 0; index < count; index++) turns.add(stream(() => void told.push(index)));
    expect(told).toEqual([]);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(told.length).toBe(streamsToldAtOnce);
    const lengths: number[] = [];
    while (told.length < count) {
      await nextTurn();
      lengths.push(told.length);
    }
    expect(lengths.length).toBeGreaterThanOrEqual(3);
    expect(told).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('takes streams that come while others tell, and begins anew when all have', async () => {
    const turns = new TellingTurns();
    const told: string[] = [];
    turns.add(
      stream(() => {
        told.push('first');
        turns.add(stream(() => void told.push('from within')));
      }),
    );
    await nextTurn();
    await nextTurn();
    turns.add(stream(() => void told.push('later')));
    await nextTurn();
    expect(told).toEqual(['first', 'from within', 'later']);
  });

  it('tells a stream that it failed, and goes on with the others', async () => {
    const turns = new TellingTurns();
    const told: unknown[] = [];
    const error = new Error('broken');
    const throwing = (): void => {
      throw error;
    };
    turns.add(stream(throwing, (reason) => void told.push(reason)));
    turns.add(stream(() => void told.push('next')));
    await nextTurn();
    expect(told).toEqual([error, 'next']);
  });
});
