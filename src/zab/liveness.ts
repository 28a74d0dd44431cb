// A leader's watch over its followers and itself: drops who is silent, gives leadership up when no quorum is left or when
// another member can only be helped by a new epoch. Takes nobody in and sends nothing but notes.

import { hasLiveQuorum, rebuildLinks } from './broadcast.js';
import { countFollowers, differentlySeeded, missingMembers, unfilledMembers } from './discovery.js';
import type { ZabEffect } from './effects.js';
import { nextZxidAfter } from './numbering.js';
import { lookAgain, note } from './roles.js';
import type { Follower, Leading, ZabState } from './state.js';
import { mayForm } from './voters.js';

export function drop(leading: Leading, follower: Follower, reason: string, out: ZabEffect[]): void {
  leading.followers.delete(follower.peer);
  rebuildLinks(leading);
  out.push({ type: 'disconnect', peer: follower.peer, link: follower.link, reason });
}

/** An established leader without a connected quorum gives up at once: its followers elect at once as well. */
export function checkCompany(state: ZabState, leading: Leading): void {
  const connected = countFollowers(leading, ({ counted, phase, info }) =>
    leading.epoch === 0 ? info !== null && phase !== 'connected' : counted,
  );
  if (connected + 1 >= state.quorum) leading.lonelySinceMs = null;
  else if (leading.phase === 'established') lookAgain(state, 'its followers are no quorum any more');
  else leading.lonelySinceMs ??= state.nowMs;
}

/** Gives leadership away for another member's sake, rarely, and ever more rarely if it does not help. */
export function abdicateFor(state: ZabState, reason: string): boolean {
  const { abdicateIntervalMs } = state.limits;
  if (state.nowMs > state.abdicatedMs + abdicateIntervalMs * 128) state.abdications = 0;
  const pauseMs = abdicateIntervalMs * 2 ** Math.min(state.abdications, 6);
  if (state.abdications > 0 && state.nowMs < state.abdicatedMs + pauseMs) return false;
  state.abdicatedMs = state.nowMs;
  state.abdications++;
  lookAgain(state, reason);
  return true;
}

export function dropSilentFollowers(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  const { nowMs, limits } = state;
  for (const follower of [...leading.followers.values()]) {
    const silentMs = nowMs - follower.heardMs;
    if (silentMs > silenceAllowed(state, follower))
      drop(leading, follower, `it was silent for ${Math.round(silentMs)} ms`, out);
    else if (
      follower.phase === 'synchronized' &&
      follower.durable < follower.sent &&
      nowMs - follower.unacknowledgedSinceMs > limits.ackLimitMs
    ) {
      drop(leading, follower, 'it acknowledges nothing', out);
    }
  }
  checkCompany(state, leading);
}

/** Pings overtake what synchronization sends, but not what the sockets hold already. */
function silenceAllowed(state: ZabState, follower: Follower): number {
  return follower.phase === 'synchronizing' ? state.limits.initLimitMs : state.limits.syncLimitMs;
}

export function tickEstablished(state: ZabState, leading: Leading): void {
  const { nowMs, limits } = state;
  if (!hasLiveQuorum(state, leading)) {
    lookAgain(state, 'no quorum answers');
    return;
  }
  if (nextZxidAfter(state.history.last, leading.epoch) === null) {
    lookAgain(state, 'the counter of this epoch is nearly used up');
    return;
  }
  for (const follower of leading.followers.values()) {
    const settled = follower.phase === 'synchronized' && nowMs - follower.connectedMs >= limits.probationMs;
    if (settled && follower.admission === 'joining') {
      if (abdicateFor(state, `server ${follower.peer} returns from a lost disk and is counted from the next epoch on`))
        return;
    }
  }
}

/** Gives an election up that does not lead to an established leader. */
export function tickProspective(state: ZabState, leading: Leading, out: ZabEffect[]): void {
  const { nowMs, limits } = state;
  if (leading.lonelySinceMs !== null && nowMs - leading.lonelySinceMs > limits.connectLimitMs) {
    lookAgain(state, 'no quorum of followers connected');
    return;
  }
  if (leading.phase === 'gathering' && mayForm(state.record)) {
    const missing = missingMembers(state, leading);
    const text = `Forming a new ensemble waits for server${missing.length === 1 ? '' : 's'} ${missing.join(', ')}`;
    if (nowMs - leading.phaseSinceMs > limits.connectLimitMs && missing.length > 0)
      note(state, 'forming', 'info', text, out);
    const different = differentlySeeded(state, leading);
    if (different.length > 0) {
      const members = [state.self, ...different].sort((a, b) => a - b).join(', ');
      note(state, 'seeds', 'warn', `Forming no ensemble: servers ${members} were not restored from one snapshot`, out);
    }
    const unfilled = unfilledMembers(state, leading);
    if (unfilled.length > 0 && missing.length === 0) {
      const text = `Forming no ensemble: servers ${unfilled.join(', ')} wait for a restored snapshot that no member has`;
      note(state, 'seeds', 'warn', `${text}: restore a member from it, or empty their data directories`, out);
    }
    // A missing member may belong to an ensemble already. Only a new election hears its ballot, which is the better one.
    if (nowMs - leading.phaseSinceMs > limits.initLimitMs) lookAgain(state, 'not all members came to form an ensemble');
    return;
  }
  // While a snapshot is on its way its transfer is what takes the time; silence ends it sooner.
  const transferring = [...leading.followers.values()].some(
    ({ plan, phase }) => plan === 'snapshot' && phase === 'synchronizing',
  );
  if (nowMs - leading.phaseSinceMs > (transferring ? limits.transferLimitMs : limits.initLimitMs))
    lookAgain(state, 'no quorum of followers was synchronized in time');
}
