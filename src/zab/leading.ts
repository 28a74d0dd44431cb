// The leader's side of every phase: takes followers in, chooses the epoch, synchronizes, is established, broadcasts, and
// notices when it must give leadership up. What is decided stands in discovery, sync and broadcast.

import { assert } from '../shared/assert.js';
import { epochMax, type ServerId, zxidZero } from '../shared/ids.js';
import { advanceCommit, beginRound, deliverCommitted, finishRound, rebuildLinks } from './broadcast.js';
import {
  admissionOf,
  countsAtOnce,
  epochChoice,
  hasNewLeaderQuorum,
  hasPromises,
  infoDefect,
  isHistoryAhead,
  promiseDefect,
} from './discovery.js';
import type { ZabEffect } from './effects.js';
import { demote, isCompatible } from './election.js';
import { abdicateFor, checkCompany, drop, dropSilentFollowers, tickEstablished, tickProspective } from './liveness.js';
import type { PeerMessage } from './messages.js';
import { lookAgain, note, persist, send, tellRole } from './roles.js';
import { holdsOther } from './seeds.js';
import type { AckEpoch, Continuation, Follower, FollowerInfo, HeldLink, Leading, ZabState } from './state.js';
import { planSync } from './sync.js';
import { isVoterOf, mayForm } from './voters.js';

/** The role has just begun; links that were held meanwhile are followers now. */
export function beginLeading(state: ZabState, leading: Leading, held: Iterable<HeldLink>, out: ZabEffect[]): void {
  tellRole(state, out);
  const introduced = [...held];
  for (const { peer, link } of introduced) addFollower(state, leading, peer, link);
  for (const { peer, info } of introduced) {
    const follower = leading.followers.get(peer);
    if (info !== null && follower !== undefined && state.transition === null)
      receiveInfo(state, leading, follower, info, out);
  }
  chooseEpoch(state, leading, out);
}

function addFollower(state: ZabState, leading: Leading, peer: ServerId, link: number): void {
  leading.followers.set(peer, {
    peer,
    link,
    connectedMs: state.nowMs,
    phase: 'connected',
    info: null,
    promise: null,
    admission: 'joining',
    counted: false,
    plan: null,
    syncEnd: zxidZero,
    sent: zxidZero,
    durable: zxidZero,
    unacknowledgedSinceMs: 0,
    heardMs: state.nowMs,
    nonce: 0,
  });
}

export function followerConnected(
  state: ZabState,
  leading: Leading,
  peer: ServerId,
  link: number,
  out: ZabEffect[],
): void {
  const known = leading.followers.get(peer);
  if (known !== undefined) drop(leading, known, 'replaced by a newer connection', out);
  addFollower(state, leading, peer, link);
}

export function followerDisconnected(state: ZabState, leading: Leading, peer: ServerId, link: number): void {
  if (leading.followers.get(peer)?.link !== link) return;
  leading.followers.delete(peer);
  rebuildLinks(leading);
  checkCompany(state, leading);
}

export function receiveFromFollower(
  state: ZabState,
  leading: Leading,
  follower: Follower,
  message: PeerMessage,
  out: ZabEffect[],
): void {
  follower.heardMs = state.nowMs;
  switch (message.type) {
    case 'followerInfo':
      if (follower.phase !== 'connected') break;
      receiveInfo(state, leading, follower, message, out);
      chooseEpoch(state, leading, out);
      return;
    case 'ackEpoch':
      if (follower.phase !== 'offered') break;
      receivePromise(state, leading, follower, message, out);
      return;
    case 'ackNewLeader':
      if (follower.phase !== 'synchronizing' || message.epoch !== leading.epoch) break;
      if (message.durable < follower.syncEnd || message.durable > follower.sent) break;
      follower.phase = 'synchronized';
      follower.durable = message.durable;
      follower.unacknowledgedSinceMs = state.nowMs;
      if (leading.phase === 'established') welcome(state, leading, follower, out);
      else establish(state, leading, out);
      return;
    case 'ack':
      if (follower.phase !== 'synchronized' || message.durable < follower.durable || message.durable > follower.sent)
        break;
      follower.durable = message.durable;
      follower.unacknowledgedSinceMs = state.nowMs;
      if (leading.phase === 'established') advanceCommit(state, leading, out);
      return;
    case 'pong':
      if (message.nonce > leading.nonce) break;
      if (message.nonce > follower.nonce) follower.nonce = message.nonce;
      finishRound(state, leading, out);
      return;
    case 'voterReady':
      if (follower.phase !== 'synchronized' || follower.admission !== 'returning' || message.epoch !== leading.epoch)
        break;
      follower.counted = true;
      state.abdications = 0;
      if (leading.phase === 'established') advanceCommit(state, leading, out);
      return;
    default:
      break;
  }
  drop(leading, follower, `${message.type} out of order (${follower.phase})`, out);
  checkCompany(state, leading);
}

function receiveInfo(
  state: ZabState,
  leading: Leading,
  follower: Follower,
  info: FollowerInfo,
  out: ZabEffect[],
): void {
  const defect = infoDefect(info);
  if (defect !== undefined) {
    drop(leading, follower, defect, out);
    return;
  }
  if (!isCompatible(state, info.ensembleId, info.currentEpoch)) {
    note(
      state,
      'foreign',
      'warn',
      `Refused server ${follower.peer}: it belongs to ensemble ${info.ensembleId}, this node to ${state.record.ensembleId}`,
      out,
    );
    drop(leading, follower, 'it belongs to another ensemble', out);
    return;
  }
  if (leading.phase !== 'established' && outranks(state, info)) {
    lookAgain(state, `server ${follower.peer} has a longer history`);
    return;
  }
  follower.info = info;
  follower.phase = 'informed';
  if (leading.phase !== 'gathering' && leading.phase !== 'choosing') offer(state, leading, follower, false, out);
  if (state.transition === null) checkCompany(state, leading);
}

/**
 * A follower that counts, or that belongs to the ensemble which this blank node would join, has the better history. So has
 * one that was restored, before this node, which has nothing: a new ensemble would throw its data away.
 */
function outranks(state: ZabState, theirs: FollowerInfo): boolean {
  if (mayForm(state.record)) {
    if (theirs.currentEpoch > 0) return true;
    if (state.history.last === zxidZero && holdsOther(theirs, zxidZero)) return true;
  }
  if (!isVoterOf(theirs, state.record.ensembleId)) return false;
  return isHistoryAhead(theirs, { currentEpoch: state.record.currentEpoch, lastZxid: state.history.durable });
}

function chooseEpoch(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  if (leading.phase !== 'gathering' || state.transition !== null) return;
  const choice = epochChoice(state, leading);
  if (choice === undefined) return;
  if (choice.epoch > epochMax) {
    state.halted = true;
    out.push({ type: 'halt', reason: 'the epochs of this ensemble are used up' });
    return;
  }
  leading.epoch = choice.epoch;
  leading.forming = choice.forming;
  enterPhase(state, leading, 'choosing');
  // Who is here now was here before the epoch was chosen; who comes while it is written was not.
  for (const { info, link } of leading.followers.values()) if (info !== null) leading.early.add(link);
  persist(
    state,
    'offerEpoch',
    { ...state.record, ensembleId: choice.ensembleId, acceptedEpoch: choice.epoch, probation: false },
    out,
  );
}

function enterPhase(state: ZabState, leading: Leading, phase: Leading['phase']): void {
  leading.phase = phase;
  leading.phaseSinceMs = state.nowMs;
}

/** What this leader wrote is durable. */
export function continueLeading(state: ZabState, leading: Leading, then: Continuation, out: ZabEffect[]): void {
  if (then === 'offerEpoch') {
    enterPhase(state, leading, 'discovering');
    for (const follower of [...leading.followers.values()]) {
      if (follower.info !== null && state.transition === null)
        offer(state, leading, follower, leading.early.has(follower.link), out);
    }
    if (state.transition === null) crown(state, leading, out);
    return;
  }
  assert(then === 'beginSynchronization', `Cannot go on with ${then} as a leader`);
  enterPhase(state, leading, 'synchronizing');
  for (const follower of [...leading.followers.values()]) {
    if (follower.phase === 'promised') synchronize(state, leading, follower, out);
  }
  establish(state, leading, out);
}

/** Tells a follower the epoch. */
function offer(state: ZabState, leading: Leading, follower: Follower, early: boolean, out: ZabEffect[]): void {
  const { info } = follower;
  const { ensembleId } = state.record;
  assert(info !== null && ensembleId !== null, 'Cannot offer an epoch before both sides are known');
  if (info.acceptedEpoch > leading.epoch) {
    refuseLaterEpoch(state, leading, follower, info, out);
    return;
  }
  follower.admission = admissionOf(state, leading, info, early);
  follower.counted = countsAtOnce(follower.admission);
  follower.phase = 'offered';
  const { admission } = follower;
  send(follower, { type: 'leaderInfo', epoch: leading.epoch, ensembleId, admission, seed: state.record.seed }, out);
}

/** It promised a later epoch to someone who never became leader; only an epoch above that one can have it back. */
function refuseLaterEpoch(
  state: ZabState,
  leading: Leading,
  follower: Follower,
  info: FollowerInfo,
  out: ZabEffect[],
): void {
  drop(leading, follower, `it has accepted epoch ${info.acceptedEpoch}, this one is ${leading.epoch}`, out);
  if (info.ensembleId !== state.record.ensembleId) return;
  if (info.acceptedEpoch > state.acceptedSeen) state.acceptedSeen = info.acceptedEpoch;
  if (leading.phase === 'established')
    abdicateFor(state, `server ${follower.peer} has accepted epoch ${info.acceptedEpoch}`);
}

function receivePromise(
  state: ZabState,
  leading: Leading,
  follower: Follower,
  promise: AckEpoch,
  out: ZabEffect[],
): void {
  const { info } = follower;
  assert(info !== null, 'Cannot take a promise before followerInfo');
  const defect = promiseDefect(promise, info, leading.epoch);
  if (defect !== undefined) {
    drop(leading, follower, defect, out);
    checkCompany(state, leading);
    return;
  }
  follower.promise = promise;
  follower.phase = 'promised';
  // A promise of this very epoch to somebody else must not count again.
  if (follower.counted && info.acceptedEpoch < leading.epoch) leading.promised.add(follower.peer);
  if (leading.phase === 'discovering') crown(state, leading, out);
  else if (leading.phase === 'synchronizing' || leading.phase === 'established')
    synchronize(state, leading, follower, out);
}

/** With a quorum of promises this leader's history is the one that goes on. */
function crown(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  if (!hasPromises(state, leading)) return;
  enterPhase(state, leading, 'crowning');
  persist(state, 'beginSynchronization', { ...state.record, currentEpoch: leading.epoch }, out);
}

function synchronize(state: ZabState, leading: Leading, follower: Follower, out: ZabEffect[]): void {
  const { info, promise, peer, link } = follower;
  const { ensembleId } = state.record;
  assert(
    info !== null && promise !== null && ensembleId !== null,
    'Cannot synchronize a follower that promised nothing',
  );
  const decision = planSync({
    history: state.history,
    ensembleId,
    info,
    promise,
    established: leading.phase === 'established',
  });
  if (decision.type === 'refuse') {
    note(state, 'refused', 'warn', `Cannot synchronize server ${peer}: ${decision.reason}`, out);
    drop(leading, follower, decision.reason, out);
    checkCompany(state, leading);
    return;
  }
  follower.phase = 'synchronizing';
  follower.plan = decision.plan.kind;
  follower.syncEnd = state.history.last;
  follower.sent = state.history.last;
  follower.unacknowledgedSinceMs = state.nowMs;
  rebuildLinks(leading);
  out.push({ type: 'synchronize', peer, link, plan: decision.plan, through: state.history.last });
  send(follower, { type: 'newLeader', epoch: leading.epoch }, out);
}

/** With a quorum of ackNewLeader the initial history is committed, and this leader serves. */
function establish(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  if (leading.phase !== 'synchronizing' || !hasNewLeaderQuorum(state, leading)) return;
  enterPhase(state, leading, 'established');
  state.demotions.clear();
  if (leading.initialEnd > state.committed) state.committed = leading.initialEnd;
  deliverCommitted(state, out);
  tellRole(state, out);
  for (const follower of leading.followers.values()) {
    if (follower.phase === 'synchronized') send(follower, { type: 'upToDate', committed: state.committed }, out);
  }
}

function welcome(state: ZabState, leading: Leading, follower: Follower, out: ZabEffect[]): void {
  send(follower, { type: 'upToDate', committed: state.committed }, out);
  advanceCommit(state, leading, out);
}

export function handOver(state: ZabState, reason: string): void {
  demote(state, state.self);
  lookAgain(state, reason);
}

export function tickLeading(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  if (state.nowMs >= leading.pingAtMs) beginRound(state, leading, out);
  dropSilentFollowers(state, leading, out);
  if (state.transition !== null) return;
  if (leading.phase === 'established') {
    tickEstablished(state, leading);
    return;
  }
  chooseEpoch(state, leading, out);
  tickProspective(state, leading, out);
}
