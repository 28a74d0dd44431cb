// Discovery (zab.md): who counts, when a leader may choose its epoch, as what it takes a follower in, and what a follower
// makes of the offer. Decides only; sends and writes nothing.

import { type EnsembleId, type Epoch, epochMax, epochOf, type ServerId, type Zxid, zxidZero } from '../shared/ids.js';
import type { EpochRecord } from './effects.js';
import { endsAreSound } from './history.js';
import type { Admission } from './messages.js';
import { holdsOther, isSeed, lacksSeed, seedDefect, seedHeld, seedObstacle } from './seeds.js';
import type { AckEpoch, Follower, FollowerInfo, LeaderInfo, Leading, ZabState } from './state.js';
import { isVoter, isVoterOf, mayForm } from './voters.js';

/** Order of histories: currentEpoch, then the end of the log. */
export function isHistoryAhead(
  a: { readonly currentEpoch: Epoch; readonly lastZxid: Zxid },
  b: { readonly currentEpoch: Epoch; readonly lastZxid: Zxid },
): boolean {
  return a.currentEpoch !== b.currentEpoch ? a.currentEpoch > b.currentEpoch : a.lastZxid > b.lastZxid;
}

/** What is wrong with a followerInfo in itself. */
export function infoDefect(info: FollowerInfo): string | undefined {
  if (info.currentEpoch > info.acceptedEpoch) return 'its current epoch is above its accepted one';
  if (info.acceptedEpoch >= epochMax) return 'its epoch leaves no room for another';
  if (epochOf(info.lastZxid) > info.acceptedEpoch) return 'its log is above its accepted epoch';
  return seedDefect(info, info.lastZxid);
}

/** What is wrong with an ackEpoch, given the followerInfo of the same link. */
export function promiseDefect(promise: AckEpoch, info: FollowerInfo, epoch: Epoch): string | undefined {
  if (promise.epoch !== epoch) return `it acknowledged epoch ${promise.epoch}, expected ${epoch}`;
  if (promise.currentEpoch !== info.currentEpoch || promise.lastZxid !== info.lastZxid)
    return 'its history changed since its followerInfo';
  if (!endsAreSound(promise.epochEnds, promise.lastZxid)) return 'its epoch ends contradict each other';
  if (promise.committed > promise.lastZxid) return 'it knows more committed than it has logged';
  return undefined;
}

/** Members that a choice of the epoch now would rest on, or null while too few are there. */
export interface EpochChoice {
  readonly epoch: Epoch;
  readonly forming: boolean;
  readonly ensembleId: EnsembleId;
}

/** The epoch to choose, once those who must take part have introduced themselves; undefined: wait. */
export function epochChoice(state: ZabState, leading: Leading): EpochChoice | undefined {
  // To be elected is no matter, to begin with nothing would be.
  if (lacksSeed(state.record, state.history.last)) return undefined;
  const forming = canForm(state, leading);
  if (!forming && !hasVoters(state, leading)) return undefined;
  const returnersWait = state.nowMs < leading.phaseSinceMs + state.limits.returnersWaitMs;
  if (!forming && returnersWait && leading.returners.some((peer) => leading.followers.get(peer)?.info == null))
    return undefined;
  let greatest: Epoch =
    state.record.acceptedEpoch > state.acceptedSeen ? state.record.acceptedEpoch : state.acceptedSeen;
  for (const { info } of leading.followers.values()) {
    if (info !== null && info.acceptedEpoch > greatest) greatest = info.acceptedEpoch;
  }
  return {
    epoch: (greatest + 1) as Epoch,
    forming,
    ensembleId: state.record.ensembleId ?? state.newEnsembleId,
  };
}

/** All members (with `bootstrap` a quorum) are there and none ever acknowledged a newLeader. */
function canForm(state: ZabState, leading: Leading): boolean {
  if (!mayForm(state.record)) return false;
  const held = seedHeld(state.record, state.history.last);
  let { bootstrap } = state;
  let present = 1;
  for (const { info } of leading.followers.values()) {
    if (info === null) continue;
    if (!mayForm(info) || holdsOther(info, held)) return false;
    if (lacksSeed(info, info.lastZxid) && info.seed !== held) {
      // It was to be filled with restored data. Whoever has that may be among the missing, or the operator has to say.
      if (held === zxidZero) return false;
      bootstrap = false;
    }
    present++;
  }
  return present === state.members.length || (bootstrap && present >= state.quorum);
}

/** Members with restored data that is not this node's, for the operator. */
export function differentlySeeded(state: ZabState, leading: Leading): readonly ServerId[] {
  const held = seedHeld(state.record, state.history.last);
  return state.members.filter((member) => {
    const info = leading.followers.get(member)?.info ?? null;
    return info !== null && holdsOther(info, held);
  });
}

/** Members, this node included, that were promised restored data which nobody here has, for the operator. */
export function unfilledMembers(state: ZabState, leading: Leading): readonly ServerId[] {
  if (seedHeld(state.record, state.history.last) !== zxidZero) return [];
  return state.members.filter((member) => {
    if (member === state.self) return lacksSeed(state.record, state.history.last);
    const info = leading.followers.get(member)?.info ?? null;
    return info !== null && lacksSeed(info, info.lastZxid);
  });
}

function hasVoters(state: ZabState, leading: Leading): boolean {
  if (!isVoter(state.record)) return false;
  let voters = 1;
  for (const { info } of leading.followers.values()) {
    if (info !== null && isVoterOf(info, state.record.ensembleId)) voters++;
  }
  return voters >= state.quorum;
}

/** As what a follower is taken in. `early`: its followerInfo was there before the epoch was chosen. */
export function admissionOf(state: ZabState, leading: Leading, info: FollowerInfo, early: boolean): Admission {
  // Until a forming ensemble is established nothing was ever committed in it, so a late blank voter has lost nothing.
  if (leading.forming && leading.phase !== 'established' && mayForm(info)) return 'forming';
  if (info.ensembleId !== state.record.ensembleId) return 'joining';
  if (!info.probation) return 'voter';
  return early ? 'returning' : 'joining';
}

export function countsAtOnce(admission: Admission): boolean {
  return admission === 'voter' || admission === 'forming';
}

/** Followers whose promise the choice of currentEpoch waits for: in a forming ensemble all voters, else a quorum. */
export function hasPromises(state: ZabState, leading: Leading): boolean {
  const wanted = leading.forming && !state.bootstrap ? state.members.length : state.quorum;
  return leading.promised.size + 1 >= wanted;
}

/** Counted followers that have acknowledged newLeader, and the leader itself, are a quorum. */
export function hasNewLeaderQuorum(state: ZabState, leading: Leading): boolean {
  return countFollowers(leading, isSynchronizedVoter) + 1 >= state.quorum;
}

export function isSynchronizedVoter(follower: Follower): boolean {
  return follower.counted && follower.phase === 'synchronized';
}

export function countFollowers(leading: Leading, wanted: (follower: Follower) => boolean): number {
  let count = 0;
  for (const follower of leading.followers.values()) if (wanted(follower)) count++;
  return count;
}

/** Members that have not introduced themselves, for the operator. */
export function missingMembers(state: ZabState, leading: Leading): readonly ServerId[] {
  return state.members.filter((member) => member !== state.self && leading.followers.get(member)?.info == null);
}

export type OfferDecision =
  | { readonly type: 'accept'; readonly record: EpochRecord; readonly snapshotOnly: boolean }
  | { readonly type: 'refuse'; readonly reason: string }
  /** For good, until the operator has decided. */
  | { readonly type: 'halt'; readonly reason: string };

/** What a follower with this record makes of a leaderInfo. `last`: the end of its log. */
export function judgeOffer(record: EpochRecord, offer: LeaderInfo, last: Zxid): OfferDecision {
  if (offer.epoch < record.acceptedEpoch)
    return refuse(`epoch ${offer.epoch} is older than the accepted ${record.acceptedEpoch}`);
  if (offer.epoch === 0) return refuse('epoch 0 has no leader');
  const sameId = record.ensembleId === offer.ensembleId;
  if (!sameId && !mayForm(record))
    return refuse(`it belongs to ensemble ${offer.ensembleId}, this node to ${record.ensembleId}`);
  if (epochOf(offer.seed) !== 0) return refuse('the seed of the ensemble is not of epoch 0');
  const obstacle = sameId ? undefined : seedObstacle(seedHeld(record, last), offer.ensembleId, offer.seed);
  if (obstacle !== undefined) return { type: 'halt', reason: obstacle };
  const probation = probationAfter(record, offer.admission, sameId);
  if (probation === undefined) return refuse(`admission "${offer.admission}" does not fit this node`);
  // An id must never stand over a log that belongs to another ensemble: with one, the id comes with the snapshot. A tree of
  // the same snapshot is no other ensemble's, but each member drew something of its own for it: it is replaced as well.
  const takesId = sameId || last === zxidZero || last === offer.seed;
  const next = {
    ensembleId: offer.ensembleId,
    acceptedEpoch: offer.epoch,
    currentEpoch: record.currentEpoch,
    probation,
    seed: sameId ? record.seed : offer.seed,
  };
  return {
    type: 'accept',
    record: takesId ? next : { ...record, acceptedEpoch: offer.epoch },
    snapshotOnly: !takesId || isSeed(last),
  };
}

/** Probation after accepting; undefined: the admission contradicts the record. */
export function probationAfter(record: EpochRecord, admission: Admission, sameId: boolean): boolean | undefined {
  switch (admission) {
    case 'voter':
      return sameId && !record.probation ? false : undefined;
    case 'forming':
      return mayForm(record) ? false : undefined;
    case 'joining':
      return sameId && !record.probation ? undefined : true;
    case 'returning':
      return sameId && record.probation ? true : undefined;
  }
}

function refuse(reason: string): OfferDecision {
  return { type: 'refuse', reason };
}
