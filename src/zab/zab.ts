// The Zab core: `step(state, event)` changes the state it is given and returns what is to be done, in order. It reads
// nothing else: no clock, socket, disk or randomness. This file routes events and changes roles; see SPEC.md.

import { assert } from '../shared/assert.js';
import { epochOf, epochZero, type ServerId, type Zxid } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { advanceCommit, proposeBatch, requestConfirmation } from './broadcast.js';
import type { ZabEffect } from './effects.js';
import { receiveDatagram, returnersHeard, startElection, tickLooking } from './election.js';
import type { ZabEvent } from './events.js';
import {
  beginFollowing,
  connectFailed,
  continueFollowing,
  leaderConnected,
  leaderDisconnected,
  logGrewDurable,
  receiveFromLeader,
  resumeFollowing,
  tickFollowing,
} from './following.js';
import { createHistory, isDrained, markDurable, replaceHistory, trimHistory, truncateHistory } from './history.js';
import { checkStep } from './invariants.js';
import {
  beginLeading,
  continueLeading,
  followerConnected,
  followerDisconnected,
  handOver,
  receiveFromFollower,
  tickLeading,
} from './leading.js';
import type { PeerMessage } from './messages.js';
import { nextZxidAfter } from './numbering.js';
import { quorumOf } from './quorum.js';
import { createFollowing, createLeading, createLooking, lookAgain, note, tellRole } from './roles.js';
import { type HeldLink, type Looking, limitsOf, type Transition, type ZabOptions, type ZabState } from './state.js';

export type { ZabOptions, ZabState, ZabTiming } from './state.js';

/** A node as it is at boot: it looks for a leader from the first tick on. Stops the node if its disk contradicts itself. */
export function createZab(options: ZabOptions): ZabState {
  const { durable, self, members } = options;
  assert(
    new Set(members).size === members.length && members.includes(self),
    'Cannot start: the members must differ and contain this server',
  );
  assert(
    durable.currentEpoch <= durable.acceptedEpoch,
    `Cannot start: currentEpoch ${durable.currentEpoch} is above acceptedEpoch ${durable.acceptedEpoch}`,
  );
  assert(epochOf(durable.lastZxid) <= durable.acceptedEpoch, 'Cannot start: the log is above acceptedEpoch');
  assert(
    durable.logBase <= durable.applied && durable.applied <= durable.lastZxid,
    'Cannot start: the tree is outside the log',
  );
  assert(epochOf(durable.seed) === 0, 'Cannot start: the seed is not of epoch 0');
  const { ensembleId, acceptedEpoch, currentEpoch, probation, seed } = durable;
  return {
    self,
    members: [...members],
    quorum: quorumOf(members.length),
    limits: limitsOf(options.timing),
    bootstrap: options.bootstrap,
    newEnsembleId: options.newEnsembleId,
    random: new SeededRandom(options.seed),
    nowMs: 0,
    tickedMs: options.nowMs,
    record: { ensembleId, acceptedEpoch, currentEpoch, probation, seed },
    history: createHistory(durable),
    committed: durable.applied,
    delivered: durable.applied,
    disk: null,
    role: createLooking(0),
    failures: 0,
    tenure: 0,
    round: 0,
    transition: null,
    connects: new Set(),
    demotions: new Map(),
    acceptedSeen: epochZero,
    abdicatedMs: 0,
    abdications: 0,
    notes: new Map(),
    started: false,
    halted: false,
  };
}

/** Handles one event. The effects are to be carried out in the order given before the next event is handled. */
export function step(state: ZabState, event: ZabEvent): ZabEffect[] {
  const out: ZabEffect[] = [];
  if (state.halted) return out;
  handle(state, event, out);
  for (let next = state.transition; next !== null && !state.halted; next = state.transition) {
    state.transition = null;
    changeRole(state, next, out);
  }
  checkStep(state);
  return out;
}

function handle(state: ZabState, event: ZabEvent, out: ZabEffect[]): void {
  const { role } = state;
  switch (event.type) {
    case 'tick':
      tick(state, event.nowMs, out);
      return;
    case 'datagram':
      receiveDatagram(state, event.from, event.message, out);
      return;
    case 'connected':
      connected(state, event.peer, event.link, event.outgoing, out);
      return;
    case 'disconnected':
      disconnected(state, event.peer, event.link);
      return;
    case 'message':
      receiveMessage(state, event.peer, event.link, event.message, out);
      return;
    case 'propose':
      assert(role.role === 'leading', 'Cannot propose: this node does not lead');
      proposeBatch(state, role, event.batch, out);
      return;
    case 'logDurable':
      logDurable(state, event.through, out);
      return;
    case 'persisted':
      persisted(state, out);
      return;
    case 'truncated':
      truncated(state, event.to, out);
      return;
    case 'snapshotInstalled':
      snapshotInstalled(state, event, out);
      return;
    case 'snapshotAbandoned':
      snapshotAbandoned(state, event.link, out);
      return;
    case 'confirmLeadership':
      if (role.role === 'leading') requestConfirmation(state, role, event.request, out);
      return;
    case 'abdicate':
      if (role.role === 'leading') handOver(state, event.reason);
      return;
    case 'logTrimmed':
      if (event.base > state.history.base) trimHistory(state.history, event.base);
      return;
  }
}

function tick(state: ZabState, clockMs: number, out: ZabEffect[]): void {
  // A process that stood still heard nobody, which says nothing about the others: little time passes for it.
  const passedMs = clockMs - state.tickedMs;
  assert(passedMs >= 0, 'Cannot tick: time went back');
  state.tickedMs = clockMs;
  state.nowMs += Math.min(passedMs, state.limits.syncLimitMs / 4);
  state.started = true;
  const { role } = state;
  switch (role.role) {
    case 'looking':
      tickHeld(state, role, out);
      if (!role.electing) beginElection(state, out);
      else tickLooking(state, role, out);
      if (state.transition === null) noteLooking(state, role, out);
      return;
    case 'following':
      tickFollowing(state, role, out);
      return;
    case 'leading':
      tickLeading(state, role, out);
      return;
  }
}

/** No ballot before the disk has caught up: what a ballot says must be durable, and late completions must find nothing. */
function beginElection(state: ZabState, out: ZabEffect[]): void {
  const { role } = state;
  if (role.role !== 'looking' || role.electing || !state.started || state.nowMs < role.electAtMs) return;
  if (state.disk === null && isDrained(state.history)) startElection(state, role, out);
}

function tickHeld(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  for (const { peer, link, sinceMs } of [...looking.held.values()]) {
    if (state.nowMs - sinceMs <= state.limits.syncLimitMs) continue;
    looking.held.delete(peer);
    out.push({ type: 'disconnect', peer, link, reason: 'no leader was elected in time' });
  }
}

function noteLooking(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  if (state.nowMs - looking.sinceMs < state.limits.syncLimitMs) return;
  const silent = state.members.filter((member) => member !== state.self && !looking.heard.has(member));
  const waits = !looking.electing
    ? 'the disk has not finished'
    : silent.length > 0
      ? `no word from server${silent.length === 1 ? '' : 's'} ${silent.join(', ')}`
      : 'no quorum of voters agrees yet';
  note(state, 'looking', 'info', `No leader yet: ${waits}`, out);
}

function connected(state: ZabState, peer: ServerId, link: number, outgoing: boolean, out: ZabEffect[]): void {
  const { role } = state;
  if (outgoing) {
    state.connects.delete(peer);
    if (role.role === 'following' && role.leader === peer && role.phase === 'connecting')
      leaderConnected(state, role, link, out);
    else out.push({ type: 'disconnect', peer, link, reason: 'this server is not followed any more' });
    return;
  }
  if (!state.members.includes(peer) || role.role === 'following') {
    out.push({ type: 'disconnect', peer, link, reason: 'this node does not lead' });
  } else if (role.role === 'leading') {
    followerConnected(state, role, peer, link, out);
  } else {
    const known = role.held.get(peer);
    if (known !== undefined)
      out.push({ type: 'disconnect', peer, link: known.link, reason: 'replaced by a newer connection' });
    role.held.set(peer, { peer, link, sinceMs: state.nowMs, info: null });
  }
}

function disconnected(state: ZabState, peer: ServerId, link: number): void {
  const { role } = state;
  if (link === 0) {
    state.connects.delete(peer);
    if (role.role === 'following') connectFailed(role, peer);
  } else if (role.role === 'following') leaderDisconnected(state, role, peer, link);
  else if (role.role === 'leading') followerDisconnected(state, role, peer, link);
  else if (role.held.get(peer)?.link === link) role.held.delete(peer);
}

/** Anything from a link that is not the present one of that peer came too late and means nothing. */
function receiveMessage(state: ZabState, peer: ServerId, link: number, message: PeerMessage, out: ZabEffect[]): void {
  const { role } = state;
  if (role.role === 'following') {
    if (role.leader === peer && role.link === link && link !== 0) receiveFromLeader(state, role, message, out);
  } else if (role.role === 'leading') {
    const follower = role.followers.get(peer);
    if (follower?.link === link) receiveFromFollower(state, role, follower, message, out);
  } else receiveWhileLooking(role, peer, link, message, out);
}

function receiveWhileLooking(
  looking: Looking,
  peer: ServerId,
  link: number,
  message: PeerMessage,
  out: ZabEffect[],
): void {
  const held = looking.held.get(peer);
  if (held?.link !== link) return;
  if (message.type === 'followerInfo' && held.info === null) {
    held.info = message;
    return;
  }
  looking.held.delete(peer);
  out.push({ type: 'disconnect', peer, link, reason: `${message.type} before a leader was elected` });
}

function logDurable(state: ZabState, through: Zxid, out: ZabEffect[]): void {
  const { role } = state;
  markDurable(state.history, through);
  if (role.role === 'looking') beginElection(state, out);
  else if (role.role === 'following') logGrewDurable(state, role, out);
  else if (role.phase === 'established') advanceCommit(state, role, out);
}

function persisted(state: ZabState, out: ZabEffect[]): void {
  const { disk, role } = state;
  assert(disk?.type === 'persist', 'No record is being written');
  state.record = disk.record;
  state.disk = null;
  if (disk.tenure !== state.tenure || role.role === 'looking') beginElection(state, out);
  else if (role.role === 'following') continueFollowing(state, role, disk.then, out);
  else continueLeading(state, role, disk.then, out);
}

function truncated(state: ZabState, to: Zxid, out: ZabEffect[]): void {
  const { disk, role } = state;
  assert(disk?.type === 'truncate' && disk.to === to, 'No such truncation is under way');
  truncateHistory(state.history, to);
  state.disk = null;
  if (disk.tenure === state.tenure && role.role === 'following') resumeFollowing(state, role, false, out);
  else beginElection(state, out);
}

function snapshotInstalled(
  state: ZabState,
  event: Extract<ZabEvent, { readonly type: 'snapshotInstalled' }>,
  out: ZabEffect[],
): void {
  const { disk, role } = state;
  assert(disk?.type === 'snapshot' && disk.link === event.link, 'No such snapshot is being received');
  assert(event.ensembleId === disk.record.ensembleId, 'The snapshot was installed with another ensemble id');
  state.record = disk.record;
  state.disk = null;
  if (event.zxid < state.delivered || epochOf(event.zxid) > state.record.acceptedEpoch) {
    state.halted = true;
    out.push({ type: 'halt', reason: `a snapshot at ${event.zxid} was installed over ${state.delivered}` });
    return;
  }
  replaceHistory(state.history, event.zxid);
  state.delivered = event.zxid;
  if (event.zxid > state.committed) state.committed = event.zxid;
  if (disk.tenure === state.tenure && role.role === 'following') resumeFollowing(state, role, true, out);
  else beginElection(state, out);
}

function snapshotAbandoned(state: ZabState, link: number, out: ZabEffect[]): void {
  const { disk, role } = state;
  assert(disk?.type === 'snapshot' && disk.link === link, 'No such snapshot is being received');
  state.disk = null;
  if (disk.tenure === state.tenure && role.role === 'following') lookAgain(state, 'the snapshot could not be received');
  else beginElection(state, out);
}

/** Leaves the present role: closes its links; what it asked of the disk goes on, what would have followed does not. */
function changeRole(state: ZabState, transition: Transition, out: ZabEffect[]): void {
  const before = state.role;
  state.tenure++;
  switch (transition.to) {
    case 'looking':
      out.push({ type: 'note', level: 'info', text: `Looking for a leader: ${transition.reason}` });
      closeLinks(before, transition.reason, out);
      if (state.committed > state.history.last) state.committed = state.history.last;
      state.role = createLooking(state.nowMs);
      state.role.electAtMs = state.nowMs + pauseAfter(state, before);
      tellRole(state, out);
      beginElection(state, out);
      return;
    case 'following': {
      closeLinks(before, 'this node follows another server', out);
      const following = createFollowing(state, transition);
      state.role = following;
      beginFollowing(state, following, out);
      return;
    }
    case 'leading': {
      assert(before.role === 'looking', 'Cannot lead before an election');
      const leading = createLeading(state, transition, returnersHeard(state, before));
      state.role = leading;
      beginLeading(state, leading, before.held.values(), out);
      return;
    }
  }
}

/** Roles that end before they served, one after the other, are tried ever less often: nothing loops at network speed. */
function pauseAfter(state: ZabState, ended: ZabState['role']): number {
  if (ended.role === 'looking') return 0;
  const served = ended.role === 'following' ? ended.serving : ended.phase === 'established';
  state.failures = served ? 0 : state.failures + 1;
  if (state.failures < 2) return 0;
  const { electionResendMinMs, syncLimitMs } = state.limits;
  return Math.min(electionResendMinMs * 2 ** Math.min(state.failures - 2, 16), syncLimitMs / 2);
}

function closeLinks(role: ZabState['role'], reason: string, out: ZabEffect[]): void {
  if (role.role === 'following') {
    if (role.link !== 0) out.push({ type: 'disconnect', peer: role.leader, link: role.link, reason });
    return;
  }
  const links: Iterable<Pick<HeldLink, 'peer' | 'link'>> =
    role.role === 'leading' ? role.followers.values() : role.held.values();
  for (const { peer, link } of links) out.push({ type: 'disconnect', peer, link, reason });
}

/** Known committed on a quorum; delivered here up to what is durable here. */
export function committedOf(state: ZabState): Zxid {
  return state.committed;
}

/** First zxid of the next batch, null while none may be proposed: not established, or the epoch is nearly used up. */
export function nextZxid(state: ZabState): Zxid | null {
  const { role } = state;
  return role.role === 'leading' && role.phase === 'established' ? nextZxidAfter(state.history.last, role.epoch) : null;
}

/** Batches proposed by this leader and not committed. */
export function batchesInFlight(state: ZabState): number {
  return state.role.role === 'leading' ? state.role.inFlight.length : 0;
}
