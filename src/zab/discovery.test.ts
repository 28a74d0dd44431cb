import { describe, expect, test } from 'vitest';
import { type EnsembleId, type Epoch, epochZero, type ServerId, type Zxid, zxidOf, zxidZero } from '../shared/ids.js';
import { differentlySeeded, epochChoice, infoDefect, judgeOffer } from './discovery.js';
import type { EpochRecord } from './effects.js';
import type { Admission } from './messages.js';
import type { FollowerInfo, LeaderInfo, Leading } from './state.js';
import { createZab } from './zab.js';

const ours = 'a'.repeat(32) as EnsembleId;
const theirs = 'b'.repeat(32) as EnsembleId;

function record(
  options: { id?: EnsembleId | null; accepted?: number; current?: number; probation?: boolean } = {},
): EpochRecord {
  return {
    ensembleId: options.id === undefined ? ours : options.id,
    acceptedEpoch: (options.accepted ?? 4) as Epoch,
    currentEpoch: (options.current ?? 4) as Epoch,
    probation: options.probation ?? false,
  };
}

function offer(epoch: number, admission: Admission, ensembleId = ours): LeaderInfo {
  return { type: 'leaderInfo', epoch: epoch as Epoch, ensembleId, admission };
}

const blank = record({ id: null, accepted: 0, current: 0 });

describe('judgeOffer()', () => {
  test('refuses an epoch older than the promised one and takes the promised one again', () => {
    expect(judgeOffer(record(), offer(3, 'voter'), false).type).toBe('refuse');
    expect(judgeOffer(record(), offer(4, 'voter'), false).type).toBe('accept');
  });

  test('a blank node takes the id: counted in a forming ensemble, on probation in one that exists', () => {
    const forming = judgeOffer(blank, offer(1, 'forming'), true);
    const joining = judgeOffer(blank, offer(7, 'joining'), true);
    expect(forming).toMatchObject({
      record: { ensembleId: ours, acceptedEpoch: 1, currentEpoch: 0, probation: false },
    });
    expect(joining).toMatchObject({ record: { ensembleId: ours, acceptedEpoch: 7, currentEpoch: 0, probation: true } });
  });

  test('a voter refuses to be taken in as anything else, and a node on probation to be a voter', () => {
    for (const admission of ['forming', 'joining', 'returning'] as const) {
      expect(judgeOffer(record(), offer(5, admission), false).type).toBe('refuse');
    }
    const returned = record({ probation: true });
    expect(judgeOffer(returned, offer(5, 'voter'), false).type).toBe('refuse');
    expect(judgeOffer(returned, offer(5, 'returning'), false)).toMatchObject({ record: { probation: true } });
    expect(judgeOffer(blank, offer(5, 'returning'), true).type).toBe('refuse');
  });

  test('a member of another ensemble refuses', () => {
    expect(judgeOffer(record(), offer(5, 'joining', theirs), false).type).toBe('refuse');
  });

  test('an id never stands over the log of another ensemble: it comes with the snapshot', () => {
    const leftover = record({ id: theirs, current: 0 });
    expect(judgeOffer(leftover, offer(5, 'joining'), false)).toEqual({
      type: 'accept',
      record: { ...leftover, acceptedEpoch: 5 },
      snapshotOnly: true,
    });
    expect(judgeOffer(leftover, offer(5, 'joining'), true)).toMatchObject({
      record: { ensembleId: ours },
      snapshotOnly: false,
    });
  });
});

describe('infoDefect()', () => {
  const info: FollowerInfo = { type: 'followerInfo', ...record(), lastZxid: (4 * 2 ** 32 + 9) as Zxid };

  test('finds epochs and logs that contradict each other', () => {
    expect(infoDefect(info)).toBeUndefined();
    expect(infoDefect({ ...info, currentEpoch: 5 as Epoch })).toBeDefined();
    expect(infoDefect({ ...info, lastZxid: (5 * 2 ** 32 + 1) as Zxid })).toBeDefined();
    expect(infoDefect({ ...info, acceptedEpoch: (2 ** 21 - 1) as Epoch })).toBeDefined();
  });
});

describe('forming with members that were restored from a snapshot', () => {
  const seed = zxidOf(epochZero, 77);
  const other = zxidOf(epochZero, 78);
  const members = [1, 2, 3] as ServerId[];

  /** What this blank leader makes of two followers whose logs end there. */
  function formed(
    own: Zxid,
    ...ends: readonly Zxid[]
  ): { readonly forms: boolean; readonly differ: readonly number[] } {
    const state = createZab({
      self: 1 as ServerId,
      members,
      seed: 1,
      nowMs: 0,
      timing: {
        pingIntervalMs: 100,
        syncLimitMs: 2_000,
        initLimitMs: 15_000,
        electionFinalizeMs: 100,
        electionResendMinMs: 50,
        electionResendMaxMs: 500,
      },
      bootstrap: false,
      durable: { ...blank, logBase: own, lastZxid: own, epochEnds: [], applied: own },
      newEnsembleId: ours,
    });
    const followers = ends.map((lastZxid, index) => {
      const info: FollowerInfo = { type: 'followerInfo', ...blank, lastZxid };
      return [members[index + 1], { info }] as const;
    });
    const leading = { followers: new Map(followers), returners: [], phaseSinceMs: 0 } as unknown as Leading;
    return { forms: epochChoice(state, leading)?.forming === true, differ: differentlySeeded(state, leading) };
  }

  test('goes on when all have the same seed, or none', () => {
    expect(formed(seed, seed, seed)).toEqual({ forms: true, differ: [] });
    expect(formed(seed, zxidZero, seed)).toEqual({ forms: true, differ: [] });
    expect(formed(zxidZero, zxidZero, zxidZero)).toEqual({ forms: true, differ: [] });
  });

  test('waits for all of them', () => {
    expect(formed(seed, seed).forms).toBe(false);
  });

  test('stops where two have different seeds, and says whose', () => {
    expect(formed(seed, seed, other)).toEqual({ forms: false, differ: [3] });
    expect(formed(other, seed, seed)).toEqual({ forms: false, differ: [2, 3] });
  });

  test('takes what an interrupted attempt has left for no seed', () => {
    const logged = zxidOf(1 as Epoch, 5);
    expect(formed(seed, logged, seed)).toEqual({ forms: true, differ: [] });
  });
});
