import { describe, expect, test } from 'vitest';
import { type EnsembleId, type Epoch, epochOf, type Zxid, zxidOf, zxidZero } from '../shared/ids.js';
import type { History } from './history.js';
import { type EpochEnd, epochEndsMax } from './messages.js';
import { planSync, truncationObstacle } from './sync.js';

const ensembleId = 'e'.repeat(32) as EnsembleId;

function at(epoch: number, counter: number): Zxid {
  return zxidOf(epoch as Epoch, counter);
}

function endsOf(...last: readonly Zxid[]): EpochEnd[] {
  return last.map((zxid) => ({ epoch: epochOf(zxid), last: zxid }));
}

function historyOf(base: Zxid, ...ends: readonly Zxid[]): History {
  const last = ends.at(-1) ?? base;
  return { base, last, durable: last, ends: endsOf(...ends) };
}

function plan(
  history: History,
  ends: readonly EpochEnd[],
  options: { committed?: Zxid; id?: EnsembleId | null; established?: boolean } = {},
) {
  const lastZxid = ends.at(-1)?.last ?? zxidZero;
  const epochs = { acceptedEpoch: 9 as Epoch, currentEpoch: 8 as Epoch };
  const id = options.id === undefined ? ensembleId : options.id;
  return planSync({
    history,
    ensembleId,
    info: { type: 'followerInfo', ...epochs, lastZxid, ensembleId: id, probation: false, seed: zxidZero },
    promise: {
      type: 'ackEpoch',
      epoch: 9 as Epoch,
      currentEpoch: 8 as Epoch,
      lastZxid,
      epochEnds: ends,
      committed: options.committed ?? zxidZero,
    },
    established: options.established ?? true,
  });
}

describe('planSync()', () => {
  const leader = historyOf(at(1, 2), at(1, 5), at(3, 4));

  test('sends what is missing to a follower whose log is a prefix', () => {
    expect(plan(leader, endsOf(at(1, 5), at(3, 2)))).toEqual({ type: 'plan', plan: { kind: 'diff', after: at(3, 2) } });
    expect(plan(leader, endsOf(at(1, 2)))).toEqual({ type: 'plan', plan: { kind: 'diff', after: at(1, 2) } });
  });

  test('truncates what the leader does not have, over epochs', () => {
    expect(plan(leader, endsOf(at(1, 7), at(2, 9)))).toEqual({
      type: 'plan',
      plan: { kind: 'truncate', to: at(1, 5) },
    });
    expect(plan(leader, endsOf(at(1, 5), at(3, 6)))).toEqual({
      type: 'plan',
      plan: { kind: 'truncate', to: at(3, 4) },
    });
  });

  test('sends an image where the logs part before the log begins', () => {
    expect(plan(leader, endsOf(at(1, 1)))).toEqual({ type: 'plan', plan: { kind: 'snapshot' } });
    expect(plan(leader, [])).toEqual({ type: 'plan', plan: { kind: 'snapshot' } });
  });

  test('sends everything to a blank follower when the log reaches back to the beginning', () => {
    expect(plan(historyOf(zxidZero, at(1, 5)), [], { id: null })).toEqual({
      type: 'plan',
      plan: { kind: 'diff', after: zxidZero },
    });
  });

  test('sends an image over a log that belongs to another ensemble', () => {
    const foreign = 'f'.repeat(32) as EnsembleId;
    expect(plan(leader, endsOf(at(1, 5)), { id: foreign })).toEqual({ type: 'plan', plan: { kind: 'snapshot' } });
  });

  test('never truncates below what the follower knows committed', () => {
    expect(plan(leader, endsOf(at(1, 7)), { committed: at(1, 6) }).type).toBe('refuse');
  });

  test('compares no cut list of epochs before it is established', () => {
    const many = endsOf(...Array.from({ length: epochEndsMax }, (_, index) => at(10 + index, 1)));
    expect(plan(leader, many, { established: false }).type).toBe('refuse');
    expect(plan(leader, many)).toEqual({ type: 'plan', plan: { kind: 'snapshot' } });
  });
});

describe('truncationObstacle()', () => {
  const follower = historyOf(at(1, 2), at(1, 5), at(3, 4));

  test('lets a follower truncate between what it delivered and the end of its log', () => {
    expect(truncationObstacle(follower, at(1, 3), at(1, 4))).toBeUndefined();
    expect(truncationObstacle(follower, at(1, 3), at(3, 4))).toBeUndefined();
  });

  test('keeps it from going below what it delivered, outside its log, or to an epoch that it does not have', () => {
    expect(truncationObstacle(follower, at(1, 5), at(1, 4))).toContain('committed');
    expect(truncationObstacle(follower, zxidZero, at(1, 1))).toContain('outside');
    expect(truncationObstacle(follower, at(1, 3), at(3, 5))).toContain('outside');
    expect(truncationObstacle(follower, at(1, 3), at(2, 1))).toContain('not in the log');
  });
});
