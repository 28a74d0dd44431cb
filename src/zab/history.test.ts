import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Epoch, type Zxid, zxidOf, zxidZero } from '../shared/ids.js';
import {
  appendBatch,
  commonPoint,
  createHistory,
  endsAreSound,
  type History,
  markDurable,
  positionOf,
  recentEpochEnds,
  replaceHistory,
  trimHistory,
  truncateHistory,
} from './history.js';
import type { Batch } from './messages.js';

const noBytes = new Uint8Array(0);

function at(epoch: number, counter: number): Zxid {
  return zxidOf(epoch as Epoch, counter);
}

function batch(epoch: number, from: number, to = from): Batch {
  return { first: at(epoch, from), last: at(epoch, to), body: noBytes };
}

function emptyHistory(): History {
  const zero = 0 as Epoch;
  return createHistory({
    ensembleId: null,
    acceptedEpoch: zero,
    currentEpoch: zero,
    probation: false,
    seed: zxidZero,
    logBase: zxidZero,
    lastZxid: zxidZero,
    epochEnds: [],
    applied: zxidZero,
  });
}

/** A durable history made of these epochs: [epoch, entries]. */
function historyOf(...epochs: readonly (readonly [number, number])[]): History {
  const history = emptyHistory();
  for (const [epoch, entries] of epochs) for (let i = 1; i <= entries; i++) appendBatch(history, batch(epoch, i));
  markDurable(history, history.last);
  return history;
}

describe('positionOf()', () => {
  test.each([
    ['next', at(2, 3), batch(2, 4, 6)],
    ['next', at(2, 3), batch(5, 1)],
    ['next', zxidZero, batch(1, 1)],
    ['duplicate', at(2, 3), batch(2, 2, 3)],
    ['duplicate', at(2, 3), batch(1, 9)],
    ['gap', at(2, 3), batch(2, 5)],
    ['gap', at(2, 3), batch(3, 2)],
    ['gap', at(2, 3), batch(2, 3, 4)],
    ['broken', at(2, 3), { first: at(2, 6), last: at(2, 5), body: noBytes }],
    ['broken', at(2, 3), { first: at(2, 4), last: at(3, 1), body: noBytes }],
    ['broken', at(2, 3), batch(3, 0, 4)],
  ] as const)('%s', (expected, last, candidate) => {
    expect(positionOf(last, candidate)).toBe(expected);
  });
});

describe('history', () => {
  test('truncation goes back over epochs to any batch end', () => {
    const history = historyOf([1, 3], [2, 2], [4, 2]);
    truncateHistory(history, at(2, 1));
    expect(history.ends.map(({ last }) => last)).toEqual([at(1, 3), at(2, 1)]);
    truncateHistory(history, zxidZero);
    expect(history.ends).toEqual([]);
    expect(history.last).toBe(zxidZero);
  });

  test('truncation below the base stops the node', () => {
    const history = historyOf([1, 5]);
    trimHistory(history, at(1, 3));
    expect(() => truncateHistory(history, at(1, 2))).toThrow('Cannot truncate');
  });

  test('trimming keeps the end of the base epoch', () => {
    const history = historyOf([1, 3], [2, 2], [4, 2]);
    trimHistory(history, at(1, 3));
    expect(history.ends[0]?.last).toBe(at(1, 3));
    trimHistory(history, at(2, 1));
    expect(history.ends[0]?.last).toBe(at(2, 2));
  });

  test('a snapshot leaves an empty log that ends where it starts', () => {
    const history = historyOf([1, 3]);
    replaceHistory(history, at(3, 7));
    expect(history).toEqual({
      base: at(3, 7),
      last: at(3, 7),
      durable: at(3, 7),
      ends: [{ epoch: 3, last: at(3, 7) }],
    });
  });

  test('at most 64 epoch ends are told, the latest ones', () => {
    const history = historyOf(...Array.from({ length: 70 }, (_, index) => [index + 1, 1] as const));
    const told = recentEpochEnds(history);
    expect(told).toHaveLength(64);
    expect(told.at(-1)?.last).toBe(at(70, 1));
    expect(endsAreSound(told, at(70, 1))).toBe(true);
  });
});

describe('commonPoint()', () => {
  /** Two logs that share `shared` and then part: epochs after that differ, as different leaders made them. */
  test('is where two logs part', () => {
    const epochs = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
    fc.assert(
      fc.property(epochs, fc.nat(4), fc.nat(4), epochs, epochs, (shared, moreOurs, moreTheirs, ours, theirs) => {
        // Of the last shared epoch each may hold more than the other: one leader made it, so only one can be longer.
        const start = shared.map((entries, index) => [index + 1, entries] as const);
        const last = start.at(-1);
        const grown = (more: number): readonly (readonly [number, number])[] =>
          last === undefined ? [] : [...start.slice(0, -1), [last[0], last[1] + more] as const];
        const parted = (own: readonly number[], parity: number): readonly (readonly [number, number])[] =>
          own.map((entries, index) => [shared.length + 1 + index * 2 + parity, entries] as const);
        const a = historyOf(...grown(moreOurs), ...parted(ours, 0));
        const b = historyOf(...grown(moreTheirs), ...parted(theirs, 1));
        const expected = last === undefined ? zxidZero : at(last[0], last[1] + Math.min(moreOurs, moreTheirs));
        expect(commonPoint(a, recentEpochEnds(b))).toBe(expected);
        expect(commonPoint(b, recentEpochEnds(a))).toBe(expected);
      }),
    );
  });

  test('is unknown where it lies before the base', () => {
    const leader = historyOf([1, 3], [2, 4]);
    trimHistory(leader, at(2, 2));
    expect(commonPoint(leader, [{ epoch: 1 as Epoch, last: at(1, 3) }])).toBeUndefined();
    expect(commonPoint(leader, [{ epoch: 2 as Epoch, last: at(2, 1) }])).toBeUndefined();
    expect(commonPoint(leader, [{ epoch: 2 as Epoch, last: at(2, 2) }])).toBe(at(2, 2));
    expect(commonPoint(leader, [])).toBeUndefined();
  });

  test('counts what was appended and is not durable', () => {
    const leader = historyOf([1, 2]);
    appendBatch(leader, batch(1, 3));
    expect(commonPoint(leader, [{ epoch: 1 as Epoch, last: at(1, 3) }])).toBe(at(1, 3));
  });
});

describe('endsAreSound()', () => {
  test('refuses ends that contradict themselves', () => {
    const end = (epoch: number, counter: number, inEpoch = epoch): { epoch: Epoch; last: Zxid } => ({
      epoch: inEpoch as Epoch,
      last: at(epoch, counter),
    });
    expect(endsAreSound([end(1, 2), end(3, 1)], at(3, 1))).toBe(true);
    expect(endsAreSound([], zxidZero)).toBe(true);
    expect(endsAreSound([end(3, 1), end(1, 2)], at(1, 2))).toBe(false);
    expect(endsAreSound([end(1, 2)], at(1, 3))).toBe(false);
    expect(endsAreSound([end(1, 2, 2)], at(1, 2))).toBe(false);
    expect(endsAreSound([], at(1, 1))).toBe(false);
  });
});
