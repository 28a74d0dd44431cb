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
  options: { id?: EnsembleId | null; accepted?: number; current?: number; probation?: boolean; seed?: Zxid } = {},
): EpochRecord {
  return {
    ensembleId: options.id === undefined ? ours : options.id,
    acceptedEpoch: (options.accepted ?? 4) as Epoch,
    currentEpoch: (options.current ?? 4) as Epoch,
    probation: options.probation ?? false,
    seed: options.seed ?? zxidZero,
  };
}

function offer(epoch: number, admission: Admission, ensembleId = ours, seed = zxidZero): LeaderInfo {
  return { type: 'leaderInfo', epoch: epoch as Epoch, ensembleId, admission, seed };
}

const logged = zxidOf(1 as Epoch, 5);
const seed = zxidOf(epochZero, 77);
const other = zxidOf(epochZero, 78);

const blank = record({ id: null, accepted: 0, current: 0 });

describe('judgeOffer()', () => {
  test('refuses an epoch older than the promised one and takes the promised one again', () => {
    expect(judgeOffer(record(), offer(3, 'voter'), logged).type).toBe('refuse');
    expect(judgeOffer(record(), offer(4, 'voter'), logged).type).toBe('accept');
  });

  test('a blank node takes the id: counted in a forming ensemble, on probation in one that exists', () => {
    const forming = judgeOffer(blank, offer(1, 'forming'), zxidZero);
    const joining = judgeOffer(blank, offer(7, 'joining'), zxidZero);
    expect(forming).toMatchObject({
      record: { ensembleId: ours, acceptedEpoch: 1, currentEpoch: 0, probation: false },
    });
    expect(joining).toMatchObject({ record: { ensembleId: ours, acceptedEpoch: 7, currentEpoch: 0, probation: true } });
  });

  test('a voter refuses to be taken in as anything else, and a node on probation to be a voter', () => {
    for (const admission of ['forming', 'joining', 'returning'] as const) {
      expect(judgeOffer(record(), offer(5, admission), logged).type).toBe('refuse');
    }
    const returned = record({ probation: true });
    expect(judgeOffer(returned, offer(5, 'voter'), logged).type).toBe('refuse');
    expect(judgeOffer(returned, offer(5, 'returning'), logged)).toMatchObject({ record: { probation: true } });
    expect(judgeOffer(blank, offer(5, 'returning'), zxidZero).type).toBe('refuse');
  });

  test('a member of another ensemble refuses', () => {
    expect(judgeOffer(record(), offer(5, 'joining', theirs), logged).type).toBe('refuse');
  });

  test('an id never stands over the log of another ensemble: it comes with the snapshot', () => {
    const leftover = record({ id: theirs, current: 0 });
    expect(judgeOffer(leftover, offer(5, 'joining'), logged)).toEqual({
      type: 'accept',
      record: { ...leftover, acceptedEpoch: 5 },
      snapshotOnly: true,
    });
    expect(judgeOffer(leftover, offer(5, 'joining'), zxidZero)).toMatchObject({
      record: { ensembleId: ours },
      snapshotOnly: false,
    });
  });

  describe('of a node that holds restored data', () => {
    const restored = record({ id: null, accepted: 0, current: 0, seed });

    test("takes the id of an ensemble of the same snapshot at once, and the leader's tree before anything else", () => {
      for (const admission of ['forming', 'joining'] as const) {
        expect(judgeOffer(restored, offer(1, admission, ours, seed), seed)).toEqual({
          type: 'accept',
          record: { ...restored, ensembleId: ours, acceptedEpoch: 1, probation: admission === 'joining' },
          snapshotOnly: true,
        });
      }
      const voter = record({ accepted: 1, current: 0, seed });
      expect(judgeOffer(voter, offer(2, 'voter', ours, seed), seed)).toMatchObject({ snapshotOnly: true });
      expect(judgeOffer(voter, offer(2, 'voter', ours, seed), logged)).toMatchObject({ snapshotOnly: false });
    });

    test('halts before an ensemble of no snapshot and one of another, and says what to do', () => {
      for (const admission of ['forming', 'joining'] as const) {
        for (const [founded, text] of [
          [zxidZero, /its data does not come from a snapshot, .*run "zabtree snapshot restore" for each/],
          [other, /its data comes from another snapshot, .*empty this node's data directory/],
        ] as const) {
          const decision = judgeOffer(restored, offer(1, admission, ours, founded), seed);
          expect(decision).toEqual({ type: 'halt', reason: expect.stringMatching(text) });
        }
      }
    });

    test('halts likewise with what it was sent in an ensemble that it never was a full member of', () => {
      const interrupted = record({ id: theirs, accepted: 2, current: 0, seed });
      expect(judgeOffer(interrupted, offer(3, 'joining'), logged).type).toBe('halt');
    });

    test('one that was only promised such data has nothing to lose', () => {
      const empty = record({ id: theirs, accepted: 2, current: 0, seed });
      expect(judgeOffer(empty, offer(3, 'joining'), zxidZero)).toMatchObject({
        type: 'accept',
        record: { ensembleId: ours, seed: zxidZero },
      });
    });

    test('refuses a seed that is none', () => {
      expect(judgeOffer(restored, offer(1, 'forming', ours, logged), seed).type).toBe('refuse');
    });
  });

  test('a blank node remembers the snapshot with the id', () => {
    expect(judgeOffer(blank, offer(1, 'forming', ours, seed), zxidZero)).toEqual({
      type: 'accept',
      record: { ...blank, ensembleId: ours, acceptedEpoch: 1, seed },
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

  test('finds seeds that are none, or that the log does not reach', () => {
    expect(infoDefect({ ...info, seed })).toBeUndefined();
    expect(infoDefect({ ...info, seed, lastZxid: zxidZero })).toBeUndefined();
    expect(infoDefect({ ...info, seed: logged })).toBeDefined();
    expect(infoDefect({ ...info, seed: other, lastZxid: seed })).toBeDefined();
  });
});

describe('forming with members that were restored from a snapshot', () => {
  const members = [1, 2, 3] as ServerId[];

  interface Member {
    readonly seed?: Zxid;
    readonly last?: Zxid;
  }

  const restored = { seed };
  const empty = {};
  /** Has promised itself to an ensemble that was restored, and got nothing of it. */
  const promised = { seed, last: zxidZero };

  /** What this leader, with epoch 0 like all, makes of these followers. */
  function formed(
    [own, ...followers]: readonly [Member, ...Member[]],
    bootstrap = false,
  ): { readonly forms: boolean; readonly differ: readonly number[] } {
    const end = ({ seed: of = zxidZero, last = of }: Member): Zxid => last;
    const recordOf = ({ seed: of = zxidZero }: Member): EpochRecord => ({ ...blank, seed: of });
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
      bootstrap,
      durable: { ...recordOf(own), logBase: end(own), lastZxid: end(own), epochEnds: [], applied: end(own) },
      newEnsembleId: ours,
    });
    const infos = followers.map((follower, index) => {
      const info: FollowerInfo = { type: 'followerInfo', ...recordOf(follower), lastZxid: end(follower) };
      return [members[index + 1], { info }] as const;
    });
    const leading = { followers: new Map(infos), returners: [], phaseSinceMs: 0 } as unknown as Leading;
    return { forms: epochChoice(state, leading)?.forming === true, differ: differentlySeeded(state, leading) };
  }

  test('goes on when a leader that was restored leads others of the same snapshot, or blank ones, or all are blank', () => {
    expect(formed([restored, restored, restored])).toEqual({ forms: true, differ: [] });
    expect(formed([restored, empty, restored])).toEqual({ forms: true, differ: [] });
    expect(formed([restored, empty, empty])).toEqual({ forms: true, differ: [] });
    expect(formed([restored, promised, promised])).toEqual({ forms: true, differ: [] });
    expect(formed([empty, empty, empty])).toEqual({ forms: true, differ: [] });
    // What an interrupted attempt has left counts for nothing.
    expect(formed([restored, { last: logged }, restored])).toEqual({ forms: true, differ: [] });
  });

  test('waits for all of them, unless bootstrap says otherwise', () => {
    expect(formed([restored, restored]).forms).toBe(false);
    expect(formed([restored, empty], true).forms).toBe(true);
    expect(formed([empty, empty], true).forms).toBe(true);
  });

  test('a leader with nothing throws nothing away that was restored', () => {
    expect(formed([empty, empty, restored])).toEqual({ forms: false, differ: [3] });
    expect(formed([empty, restored], true)).toEqual({ forms: false, differ: [2] });
  });

  test('stops where two have different seeds, and says whose', () => {
    expect(formed([restored, restored, { seed: other }])).toEqual({ forms: false, differ: [3] });
    expect(formed([{ seed: other }, restored, restored])).toEqual({ forms: false, differ: [2, 3] });
    expect(formed([restored, { seed: other }], true)).toEqual({ forms: false, differ: [2] });
  });

  test('waits for everybody where one was promised restored data: the missing one may hold it', () => {
    expect(formed([empty, promised], true).forms).toBe(false);
    expect(formed([restored, promised], true).forms).toBe(true);
    const anew = { seed: other };
    expect(formed([anew, promised], true).forms).toBe(false);
    expect(formed([anew, promised, promised], true).forms).toBe(true);
  });

  test('nobody leads who was promised restored data and has none of it', () => {
    expect(formed([promised, empty, empty]).forms).toBe(false);
    expect(formed([empty, promised, empty]).forms).toBe(false);
    expect(formed([promised, promised, promised], true).forms).toBe(false);
  });
});
