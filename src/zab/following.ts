// The follower's side: connects to the leader that was elected, promises its epoch, takes over its history, acknowledges
// what is durable. A leader that breaks the order of the protocol is disconnected; nothing here asserts on a peer's word.

import { assert } from '../shared/assert.js';
import { formatZxid, type ServerId, type Zxid } from '../shared/ids.js';
import { deliverCommitted } from './broadcast.js';
import { judgeOffer } from './discovery.js';
import type { ZabEffect } from './effects.js';
import { demote } from './election.js';
import { acknowledgedEnd, intakeOf, isInOrder, mayAcknowledge, mayAdopt } from './follower-rules.js';
import { appendBatch, isDrained, recentEpochEnds } from './history.js';
import type { Batch, LeaderMessage, PeerMessage } from './messages.js';
import { lookAgain, note, persist, send, tellRole } from './roles.js';
import type { Continuation, Following, LeaderInfo, ZabState } from './state.js';
import { truncationObstacle } from './sync.js';

/** Most of the leader's messages that wait for a truncation; with more the link is dropped and the next try is a diff. */
const heldMessagesMax = 4096;
const heldBytesMax = 64 * 2 ** 20;

export function beginFollowing(state: ZabState, following: Following, out: ZabEffect[]): void {
  tellRole(state, out);
  connect(state, following, out);
}

function connect(state: ZabState, following: Following, out: ZabEffect[]): void {
  following.retryAtMs = state.nowMs + state.limits.reconnectIntervalMs;
  if (state.connects.has(following.leader)) return;
  state.connects.add(following.leader);
  out.push({ type: 'connect', peer: following.leader });
}

export function leaderConnected(state: ZabState, following: Following, link: number, out: ZabEffect[]): void {
  const { record, history } = state;
  following.phase = 'greeting';
  following.link = link;
  following.sinceMs = state.nowMs;
  following.heardMs = state.nowMs;
  tell(
    following,
    {
      type: 'followerInfo',
      acceptedEpoch: record.acceptedEpoch,
      currentEpoch: record.currentEpoch,
      lastZxid: history.durable,
      ensembleId: record.ensembleId,
      probation: record.probation,
      seed: record.seed,
    },
    out,
  );
}

function tell(following: Following, message: PeerMessage, out: ZabEffect[]): void {
  send({ peer: following.leader, link: following.link }, message, out);
}

/** One that does not answer is waited for; one that refuses, again and again, has most likely died since it was elected. */
export function connectFailed(following: Following, peer: ServerId): void {
  if (peer === following.leader && following.phase === 'connecting') following.connectsFailed++;
}

export function leaderDisconnected(state: ZabState, following: Following, peer: ServerId, link: number): void {
  if (peer !== following.leader || link !== following.link || following.phase === 'connecting') return;
  following.link = 0;
  lookAgain(state, 'the connection to the leader is gone');
}

/** The link is closed by the change of role. */
function abandon(state: ZabState, reason: string): void {
  lookAgain(state, reason);
}

export function receiveFromLeader(state: ZabState, following: Following, message: PeerMessage, out: ZabEffect[]): void {
  following.heardMs = state.nowMs;
  switch (message.type) {
    case 'ping':
      tell(following, { type: 'pong', nonce: message.nonce }, out);
      learnCommitted(state, following, message.committed, out);
      return;
    case 'leaderInfo':
      if (following.phase === 'greeting') receiveOffer(state, following, message, out);
      else abandon(state, `leaderInfo out of order (${following.phase})`);
      return;
    case 'truncate':
    case 'snapshot':
    case 'proposal':
    case 'newLeader':
    case 'upToDate':
    case 'commit':
      if (state.disk !== null && state.disk.type !== 'persist') hold(state, following, message);
      else advance(state, following, message, out);
      return;
    default:
      abandon(state, `${message.type} is not a leader's message`);
  }
}

function hold(state: ZabState, following: Following, message: LeaderMessage): void {
  following.held.push(message);
  if (message.type === 'proposal') following.heldBytes += message.batch.body.length;
  if (following.held.length > heldMessagesMax || following.heldBytes > heldBytesMax)
    abandon(state, 'too much waits for the log to be truncated');
}

function advance(state: ZabState, following: Following, message: LeaderMessage, out: ZabEffect[]): void {
  if (message.type === 'ping' || message.type === 'leaderInfo') return;
  if (!isInOrder(following, message)) {
    abandon(state, `${message.type} out of order (${following.phase})`);
    return;
  }
  switch (message.type) {
    case 'truncate':
      receiveTruncate(state, following, message.to, out);
      return;
    case 'snapshot':
      receiveSnapshot(state, following, out);
      return;
    case 'proposal':
      receiveProposal(state, following, message.batch, message.committed, out);
      return;
    case 'newLeader':
      if (message.epoch !== following.epoch || following.snapshotOnly) {
        abandon(state, 'newLeader does not fit what came before it');
        return;
      }
      following.phase = 'adopting';
      following.syncBegun = true;
      following.adoptEnd = state.history.last;
      adopt(state, following, out);
      return;
    case 'upToDate':
      following.phase = 'upToDate';
      following.serveAt = message.committed;
      learnCommitted(state, following, message.committed, out);
      beginServing(state, following, out);
      return;
    case 'commit':
      learnCommitted(state, following, message.committed, out);
      return;
  }
}

function receiveOffer(state: ZabState, following: Following, offer: LeaderInfo, out: ZabEffect[]): void {
  const { record, history } = state;
  const decision = judgeOffer(record, offer, history.last);
  if (decision.type === 'halt') {
    state.halted = true;
    out.push(decision);
    return;
  }
  if (decision.type === 'refuse') {
    note(state, 'offer', 'warn', `Refused to follow server ${following.leader}: ${decision.reason}`, out);
    abandon(state, decision.reason);
    return;
  }
  following.epoch = offer.epoch;
  following.ensembleId = offer.ensembleId;
  following.seed = offer.seed;
  following.admission = offer.admission;
  following.snapshotOnly = decision.snapshotOnly;
  following.phase = 'promising';
  following.sinceMs = state.nowMs;
  persist(state, 'acknowledgeEpoch', decision.record, out);
}

/** What this follower wrote is durable. */
export function continueFollowing(state: ZabState, following: Following, then: Continuation, out: ZabEffect[]): void {
  const { record, history } = state;
  switch (then) {
    case 'acknowledgeEpoch':
      following.phase = 'synchronizing';
      tell(
        following,
        {
          type: 'ackEpoch',
          epoch: following.epoch,
          currentEpoch: record.currentEpoch,
          lastZxid: history.durable,
          epochEnds: recentEpochEnds(history),
          committed: state.delivered,
        },
        out,
      );
      return;
    case 'acknowledgeNewLeader':
      following.phase = 'synchronized';
      following.acknowledged = history.durable;
      tell(following, { type: 'ackNewLeader', epoch: following.epoch, durable: acknowledgedEnd(history) }, out);
      return;
    case 'announceVoter':
      tell(following, { type: 'voterReady', epoch: following.epoch }, out);
      return;
    case 'offerEpoch':
    case 'beginSynchronization':
      assert(false, `Cannot go on with ${then} as a follower`);
  }
}

function receiveTruncate(state: ZabState, following: Following, to: Zxid, out: ZabEffect[]): void {
  const obstacle = following.snapshotOnly
    ? 'its log belongs to another ensemble'
    : truncationObstacle(state.history, state.delivered, to);
  if (obstacle !== undefined) {
    note(state, 'truncate', 'warn', `Refused server ${following.leader} as leader: ${obstacle}`, out);
    abandon(state, obstacle);
    return;
  }
  following.syncBegun = true;
  assert(isDrained(state.history) && state.disk === null, 'Cannot truncate a log that is being written');
  state.disk = { type: 'truncate', to, tenure: state.tenure };
  out.push({ type: 'truncateLog', to });
}

function receiveSnapshot(state: ZabState, following: Following, out: ZabEffect[]): void {
  const { ensembleId, leader, link, seed } = following;
  assert(ensembleId !== null && state.disk === null, 'Cannot receive a snapshot now');
  following.syncBegun = true;
  const forms = following.admission === 'forming' || following.admission === 'voter';
  const record = { ...state.record, ensembleId, probation: !forms, seed };
  state.disk = { type: 'snapshot', link, record, tenure: state.tenure };
  out.push({ type: 'receiveSnapshot', peer: leader, link, record });
}

/** Truncation or snapshot is done: what the leader said meanwhile comes to pass. */
export function resumeFollowing(state: ZabState, following: Following, installed: boolean, out: ZabEffect[]): void {
  if (installed) following.snapshotOnly = false;
  following.heldBytes = 0;
  for (
    let message = following.held.shift();
    message !== undefined && state.transition === null;
    message = following.held.shift()
  ) {
    advance(state, following, message, out);
  }
}

function receiveProposal(state: ZabState, following: Following, batch: Batch, committed: Zxid, out: ZabEffect[]): void {
  const intake = intakeOf(state.history, following, batch);
  if (intake === 'refuse') {
    abandon(state, `proposal ${formatZxid(batch.first)} does not follow ${formatZxid(state.history.last)}`);
    return;
  }
  following.syncBegun = true;
  if (intake === 'append') {
    appendBatch(state.history, batch);
    out.push({ type: 'append', batch });
  }
  learnCommitted(state, following, committed, out);
}

/** Everything before newLeader is durable: this history is this node's own. */
function adopt(state: ZabState, following: Following, out: ZabEffect[]): void {
  if (following.phase !== 'adopting' || state.disk !== null || !mayAdopt(state.history, following)) return;
  persist(state, 'acknowledgeNewLeader', { ...state.record, currentEpoch: following.epoch }, out);
}

/** More of the own log is on disk. */
export function logGrewDurable(state: ZabState, following: Following, out: ZabEffect[]): void {
  if (following.phase === 'adopting') {
    adopt(state, following, out);
    return;
  }
  if (!mayAcknowledge(following)) return;
  acknowledge(state, following, out);
  deliverCommitted(state, out);
  beginServing(state, following, out);
}

function acknowledge(state: ZabState, following: Following, out: ZabEffect[]): void {
  if (state.history.durable <= following.acknowledged) return;
  following.acknowledged = state.history.durable;
  tell(following, { type: 'ack', durable: following.acknowledged }, out);
}

/** The log is a prefix of the leader's only once newLeader was acknowledged; nothing is applied before. */
function learnCommitted(state: ZabState, following: Following, committed: Zxid, out: ZabEffect[]): void {
  if (following.phase !== 'synchronized' && following.phase !== 'upToDate') return;
  if (committed > state.committed) state.committed = committed;
  deliverCommitted(state, out);
  beginServing(state, following, out);
}

function beginServing(state: ZabState, following: Following, out: ZabEffect[]): void {
  if (following.serving || following.serveAt === null || state.delivered < following.serveAt) return;
  following.serving = true;
  state.demotions.clear();
  tellRole(state, out);
  if (following.admission === 'returning' && state.record.probation)
    persist(state, 'announceVoter', { ...state.record, probation: false }, out);
}

export function tickFollowing(state: ZabState, following: Following, out: ZabEffect[]): void {
  const { nowMs, limits } = state;
  if (following.phase === 'connecting') {
    const refuses = following.connectsFailed >= limits.connectAttemptsMax;
    if (refuses || nowMs - following.sinceMs > limits.connectLimitMs) {
      demote(state, following.leader);
      lookAgain(state, `server ${following.leader} cannot be reached`);
    } else if (nowMs >= following.retryAtMs) connect(state, following, out);
    return;
  }
  const silentMs = nowMs - following.heardMs;
  if (silentMs > silenceAllowed(state, following))
    lookAgain(state, `the leader was silent for ${Math.round(silentMs)} ms`);
}

/** While synchronization transfers much, pings come late. */
function silenceAllowed(state: ZabState, following: Following): number {
  return following.phase === 'synchronizing' || following.phase === 'adopting'
    ? state.limits.initLimitMs
    : state.limits.syncLimitMs;
}
