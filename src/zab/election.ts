// Leader election by datagrams (zab.md, Election; Medeiros 2012, fast leader election). A hint only: nothing about safety
// rests on it. Works on the state of a node that looks for a leader, and answers for one that does not.

import { type EnsembleId, type Epoch, epochZero, type ServerId } from '../shared/ids.js';
import { compareBallots } from './ballot.js';
import type { ZabEffect } from './effects.js';
import type { Ballot, ElectionMessage } from './messages.js';
import { note } from './roles.js';
import type { HeardVote, Looking, ZabState } from './state.js';
import { isVoter, isVoterOf, mayForm } from './voters.js';

/** Rounds above this are no real node's; adopting one could exhaust the counter. */
const roundMax = 2 ** 48;

export function ownBallot(state: ZabState): Ballot {
  return { epoch: state.record.currentEpoch, lastZxid: state.history.durable, serverId: state.self };
}

/** What this node votes for when it has heard of nobody better; null: it does not stand. */
function initialVote(state: ZabState): Ballot | null {
  const stands = isVoter(state.record) || mayForm(state.record);
  return stands && !isDemoted(state, state.self) ? ownBallot(state) : null;
}

export function isDemoted(state: ZabState, candidate: ServerId): boolean {
  const demotion = state.demotions.get(candidate);
  return demotion !== undefined && demotion.untilMs > state.nowMs;
}

/** Not voted for during a while that doubles from time to time. */
export function demote(state: ZabState, candidate: ServerId): void {
  if (state.members.length === 1) return;
  const known = state.demotions.get(candidate);
  const forgotten = known === undefined || state.nowMs > known.untilMs + state.limits.demoteMaxMs;
  const durationMs = forgotten ? state.limits.demoteMinMs : Math.min(known.durationMs * 2, state.limits.demoteMaxMs);
  state.demotions.set(candidate, { untilMs: state.nowMs + durationMs, durationMs });
}

/** First ballot of a new round. The disk has caught up. */
export function startElection(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  looking.electing = true;
  // Nobody counts a member on probation, so it has no round of its own and takes up any that it hears.
  state.round = isVoter(state.record) || mayForm(state.record) ? state.round + 1 : 0;
  looking.round = state.round;
  looking.vote = initialVote(state);
  looking.roundSinceMs = state.nowMs;
  announce(state, looking, out);
  evaluate(state, looking);
}

/** Sends the present vote to everyone and starts the back-off again. */
function announce(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  looking.resendMs = state.limits.electionResendMinMs;
  broadcast(state, looking, out);
}

function broadcast(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  looking.resendAtMs = state.nowMs + looking.resendMs * (0.75 + state.random.next() * 0.5);
  if (!hasVoice(state, looking)) return;
  const message = electionMessage(state);
  for (const to of state.members) if (to !== state.self) out.push({ type: 'sendDatagram', to, message });
}

/** What this node says in the election now. */
export function electionMessage(state: ZabState): ElectionMessage {
  const { role, record } = state;
  return {
    role: role.role,
    round: role.round,
    vote: role.vote ?? ownBallot(state),
    ensembleId: record.ensembleId,
    currentEpoch: record.currentEpoch,
    probation: record.probation,
  };
}

/** Two nodes have something to say to each other: one ensemble, or one of them never belonged to any. */
export function isCompatible(state: ZabState, id: EnsembleId | null, currentEpoch: Epoch): boolean {
  const { record } = state;
  return (
    id === null ||
    record.ensembleId === null ||
    id === record.ensembleId ||
    currentEpoch === 0 ||
    record.currentEpoch === 0
  );
}

type Standing = Pick<ElectionMessage, 'ensembleId' | 'currentEpoch' | 'probation'>;

/** Whether this node counts a peer's vote at all: a voter of an ensemble that it may follow, or all are blank. */
function countsHere(state: ZabState, peer: Standing): boolean {
  if (mayForm(peer) && mayForm(state.record)) return true;
  return isVoterOf(peer, state.record.ensembleId) || (isVoter(peer) && mayForm(state.record));
}

/** Whether the peer counts this node's vote: the same question asked from there. */
function countsThere(state: ZabState, peer: Standing): boolean {
  const { record } = state;
  if (mayForm(peer) && mayForm(record)) return true;
  return isVoterOf(record, peer.ensembleId) || (isVoter(record) && mayForm(peer));
}

export function receiveDatagram(state: ZabState, from: ServerId, message: ElectionMessage, out: ZabEffect[]): void {
  if (!state.members.includes(from) || from === state.self) return;
  if (!isCompatible(state, message.ensembleId, message.currentEpoch)) {
    const text = `Ignored server ${from}: it belongs to ensemble ${message.ensembleId}, this node to ${state.record.ensembleId}`;
    note(state, 'foreign', 'warn', text, out);
    return;
  }
  const { role } = state;
  if (role.role !== 'looking') {
    if (message.role === 'looking') out.push({ type: 'sendDatagram', to: from, message: electionMessage(state) });
    return;
  }
  if (!role.electing || message.round > roundMax || message.round < 0) return;
  role.heard.set(from, { ...message, heardMs: state.nowMs });
  if (message.role === 'looking') takeVote(state, role, from, message, out);
  evaluate(state, role);
}

function takeVote(state: ZabState, looking: Looking, from: ServerId, message: ElectionMessage, out: ZabEffect[]): void {
  if (!countsHere(state, message)) {
    answer(state, looking, from, out);
    return;
  }
  // Whoever does not count this node's vote answers it only to inform it: answering back would never end.
  const heeded = countsThere(state, message);
  if (message.round < looking.round) {
    if (heeded) answer(state, looking, from, out);
    return;
  }
  const adopted = mayAdopt(state, message.vote) ? message.vote : null;
  if (message.round > looking.round) {
    looking.round = message.round;
    state.round = message.round;
    looking.vote = better(adopted, initialVote(state));
    looking.roundSinceMs = state.nowMs;
    announce(state, looking, out);
    return;
  }
  const vote = better(adopted, looking.vote);
  if (vote !== looking.vote) {
    looking.vote = vote;
    announce(state, looking, out);
  } else if (heeded && vote !== null && compareBallots(vote, message.vote) > 0) answer(state, looking, from, out);
}

function answer(state: ZabState, looking: Looking, to: ServerId, out: ZabEffect[]): void {
  if (hasVoice(state, looking)) out.push({ type: 'sendDatagram', to, message: electionMessage(state) });
}

/** A node that gives leadership away says nothing until it has somebody to vote for; others would count it for itself. */
function hasVoice(state: ZabState, looking: Looking): boolean {
  return looking.vote !== null || !(isVoter(state.record) || mayForm(state.record));
}

function better(a: Ballot | null, b: Ballot | null): Ballot | null {
  if (a === null || b === null) return a ?? b;
  return compareBallots(a, b) > 0 ? a : b;
}

/** A vote that this node may make its own. */
function mayAdopt(state: ZabState, vote: Ballot): boolean {
  if (!state.members.includes(vote.serverId) || isDemoted(state, vote.serverId)) return false;
  const own = ownBallot(state);
  if (vote.serverId === state.self) return initialVote(state) !== null && compareBallots(vote, own) === 0;
  // A node that gives leadership away leaves it to those whose history is as good as its own.
  if (!isDemoted(state, state.self)) return true;
  return compareBallots({ ...vote, serverId: own.serverId }, own) >= 0;
}

function sameBallot(a: Ballot, b: Ballot): boolean {
  return a.serverId === b.serverId && a.epoch === b.epoch && a.lastZxid === b.lastZxid;
}

/** Decides, or sets the time to decide, by what was heard. */
function evaluate(state: ZabState, looking: Looking): void {
  if (joinStandingLeader(state, looking) || looking.vote === null) return;
  const support = supportFor(state, looking, looking.vote);
  if (support < state.quorum) {
    looking.decideAtMs = null;
    return;
  }
  if (support === state.members.length) {
    decide(state, looking, looking.vote);
    return;
  }
  if (looking.decideAtMs === null) {
    const jitter = 0.9 + state.random.next() * 0.2;
    looking.decideAtMs = state.nowMs + state.limits.electionFinalizeMs * jitter;
    looking.decidingFor = looking.vote;
  } else if (looking.decidingFor === null || !sameBallot(looking.decidingFor, looking.vote)) {
    looking.decideAtMs = state.nowMs + state.limits.electionFinalizeMs;
    looking.decidingFor = looking.vote;
  }
}

/** Voters of one ensemble, or of one to be formed, that vote for this ballot in this round; this node among them. */
function supportFor(state: ZabState, looking: Looking, vote: Ballot): number {
  const candidate = vote.serverId === state.self ? state.record : looking.heard.get(vote.serverId);
  const ensembleId = candidate?.ensembleId ?? null;
  let voters = isVoterOf(state.record, ensembleId) ? 1 : 0;
  let blanks = mayForm(state.record) && vote.epoch === epochZero ? 1 : 0;
  const forming = blanks === 1;
  for (const heard of looking.heard.values()) {
    if (heard.round !== looking.round || !sameBallot(heard.vote, vote)) continue;
    if (isVoterOf(heard, ensembleId)) voters++;
    if (forming && mayForm(heard)) blanks++;
  }
  return Math.max(voters, blanks);
}

/**
 * A quorum stands behind a leader that itself says so: join it whatever the round. A voter that has looked in vain for long
 * makes up the quorum itself: it may be unable to hear the leader's followers, or the leader may lack only this one.
 */
function joinStandingLeader(state: ZabState, looking: Looking): boolean {
  const looksLong = state.nowMs - looking.sinceMs > state.limits.syncLimitMs;
  const agreeing = new Map<ServerId, number>();
  for (const heard of looking.heard.values()) {
    if (!isStanding(state, heard)) continue;
    const leader = heard.vote.serverId;
    agreeing.set(leader, (agreeing.get(leader) ?? 0) + 1);
  }
  for (const [leader, count] of agreeing) {
    const heard = looking.heard.get(leader);
    const own = looksLong && heard !== undefined && isVoterOf(state.record, heard.ensembleId) ? 1 : 0;
    if (count + own < state.quorum || leader === state.self || isDemoted(state, leader)) continue;
    if (heard === undefined || heard.role !== 'leading' || !isStanding(state, heard) || heard.vote.serverId !== leader)
      continue;
    state.transition = { to: 'following', vote: heard.vote, round: heard.round };
    return true;
  }
  return false;
}

function isStanding(state: ZabState, heard: HeardVote): boolean {
  return (
    heard.role !== 'looking' && heard.heardMs + state.limits.syncLimitMs / 2 > state.nowMs && countsHere(state, heard)
  );
}

function decide(state: ZabState, looking: Looking, vote: Ballot): void {
  const { round } = looking;
  state.transition = vote.serverId === state.self ? { to: 'leading', vote, round } : { to: 'following', vote, round };
}

/** Members seen on probation in this election: an elected leader waits a little for them. */
export function returnersHeard(state: ZabState, looking: Looking): readonly ServerId[] {
  const { ensembleId } = state.record;
  if (ensembleId === null) return [];
  return [...looking.heard]
    .filter(([, heard]) => heard.probation && heard.ensembleId === ensembleId)
    .map(([peer]) => peer);
}

function votesForAnother(state: ZabState, looking: Looking): boolean {
  return looking.vote !== null && looking.vote.serverId !== state.self;
}

export function tickLooking(state: ZabState, looking: Looking, out: ZabEffect[]): void {
  if (looking.vote === null && initialVote(state) !== null) {
    looking.vote = initialVote(state);
    announce(state, looking, out);
  }
  evaluate(state, looking);
  if (state.transition !== null) return;
  if (looking.decideAtMs !== null && looking.vote !== null && state.nowMs >= looking.decideAtMs) {
    decide(state, looking, looking.vote);
    return;
  }
  if (state.nowMs < looking.resendAtMs) return;
  if (state.nowMs - looking.roundSinceMs > state.limits.syncLimitMs && votesForAnother(state, looking)) {
    // Its candidate may be gone, or may never have cast the ballot that others pass on: everyone begins anew.
    startElection(state, looking, out);
    return;
  }
  looking.resendMs = Math.min(looking.resendMs * 2, state.limits.electionResendMaxMs);
  broadcast(state, looking, out);
}
