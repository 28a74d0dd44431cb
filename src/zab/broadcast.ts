// Broadcast and liveness of an established leader (DSN 2011, phase 3; zab.md, Broadcast and Answers): proposals, commit by
// quorum, confirmation rounds. Never decides who leads.

import { assert } from '../shared/assert.js';
import { epochOf, formatZxid, type Zxid } from '../shared/ids.js';
import { countFollowers, isSynchronizedVoter } from './discovery.js';
import type { ZabEffect } from './effects.js';
import { appendBatch } from './history.js';
import type { Batch } from './messages.js';
import { quorumDurable } from './quorum.js';
import type { Follower, Leading, ZabState } from './state.js';

/** Entries that are committed and durable here, if there are any that were not delivered yet. */
export function deliverCommitted(state: ZabState, out: ZabEffect[]): void {
  const through = state.committed < state.history.durable ? state.committed : state.history.durable;
  if (through <= state.delivered) return;
  state.delivered = through;
  out.push({ type: 'deliver', through });
}

/** Followers that have the end of the log on its way to them and take every later batch live. */
export function takesProposals(follower: Follower): boolean {
  return follower.phase === 'synchronizing' || follower.phase === 'synchronized';
}

export function rebuildLinks(leading: Leading): void {
  leading.links = [...leading.followers.values()].filter(takesProposals).map(({ peer, link }) => ({ peer, link }));
}

export function proposeBatch(state: ZabState, leading: Leading, batch: Batch, out: ZabEffect[]): void {
  assert(leading.phase === 'established', `Cannot propose ${formatZxid(batch.first)}: this leader is not established`);
  assert(epochOf(batch.first) === leading.epoch, `Cannot propose ${formatZxid(batch.first)} in epoch ${leading.epoch}`);
  appendBatch(state.history, batch);
  leading.inFlight.push(batch.last);
  for (const follower of leading.followers.values()) {
    if (!takesProposals(follower)) continue;
    if (follower.durable >= follower.sent) follower.unacknowledgedSinceMs = state.nowMs;
    follower.sent = batch.last;
  }
  if (leading.links.length > 0)
    out.push({ type: 'sendProposal', links: leading.links, batch, committed: state.committed });
  out.push({ type: 'append', batch });
}

/** Commits what a quorum has made durable, and tells the followers. */
export function advanceCommit(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  const { ends } = leading;
  ends.length = 0;
  ends.push(state.history.durable);
  for (const follower of leading.followers.values()) if (isSynchronizedVoter(follower)) ends.push(follower.durable);
  const through = quorumDurable(ends, state.quorum);
  let committed: Zxid = state.committed;
  for (
    let next = leading.inFlight.peek();
    next !== undefined && through !== undefined && next <= through;
    next = leading.inFlight.peek()
  ) {
    committed = next;
    leading.inFlight.shift();
  }
  if (committed > state.committed) {
    state.committed = committed;
    for (const follower of leading.followers.values()) {
      if (follower.phase !== 'synchronized') continue;
      out.push({ type: 'send', peer: follower.peer, link: follower.link, message: { type: 'commit', committed } });
    }
  }
  deliverCommitted(state, out);
}

/** Pings every follower; the answers confirm leadership for what was asked before now. */
export function beginRound(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  leading.nonce++;
  leading.pingAtMs = state.nowMs + state.limits.pingIntervalMs;
  if (leading.roundNonce === 0 && leading.phase === 'established') {
    leading.roundNonce = leading.nonce;
    leading.roundRequest = leading.waitingRequest;
    leading.waitingRequest = 0;
  }
  for (const follower of leading.followers.values()) {
    const message = { type: 'ping', nonce: leading.nonce, committed: state.committed } as const;
    out.push({ type: 'send', peer: follower.peer, link: follower.link, message });
  }
  finishRound(state, leading, out);
}

/** Answers the round in flight once a quorum has; then begins the next if someone waits. */
export function finishRound(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  if (leading.roundNonce === 0 || leading.phase !== 'established') return;
  const { roundNonce } = leading;
  const answered = countFollowers(leading, (follower) => isSynchronizedVoter(follower) && follower.nonce >= roundNonce);
  if (answered + 1 < state.quorum) return;
  leading.roundNonce = 0;
  if (leading.roundRequest > 0) out.push({ type: 'leadershipConfirmed', request: leading.roundRequest });
  leading.roundRequest = 0;
  if (leading.waitingRequest > 0) beginRound(state, leading, out);
}

export function requestConfirmation(state: ZabState, leading: Leading, request: number, out: ZabEffect[]): void {
  if (leading.phase !== 'established') return;
  if (request > leading.waitingRequest) leading.waitingRequest = request;
  if (leading.roundNonce === 0) beginRound(state, leading, out);
}

/** A quorum, the leader among it, was heard of lately. */
export function hasLiveQuorum(state: ZabState, leading: Leading): boolean {
  const since = state.nowMs - state.limits.syncLimitMs;
  return (
    countFollowers(leading, (follower) => isSynchronizedVoter(follower) && follower.heardMs >= since) + 1 >=
    state.quorum
  );
}
