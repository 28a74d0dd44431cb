// What every role needs: how each begins, asking for a change of role, writing the record, sending, telling the driver
// which role this is. Decides nothing.

import { assert } from '../shared/assert.js';
import { Fifo } from '../shared/fifo.js';
import { epochZero, type ServerId, zxidZero } from '../shared/ids.js';
import type { EpochRecord, ZabEffect } from './effects.js';
import type { PeerMessage } from './messages.js';
import type { Continuation, Following, Leading, Looking, Transition, ZabState } from './state.js';

export function createLooking(nowMs: number): Looking {
  return {
    role: 'looking',
    electing: false,
    electAtMs: nowMs,
    round: 0,
    vote: null,
    heard: new Map(),
    held: new Map(),
    decideAtMs: null,
    decidingFor: null,
    resendAtMs: 0,
    resendMs: 0,
    sinceMs: nowMs,
    roundSinceMs: nowMs,
  };
}

export function createFollowing(
  state: ZabState,
  { vote, round }: Extract<Transition, { readonly to: 'following' }>,
): Following {
  return {
    role: 'following',
    vote,
    round,
    leader: vote.serverId,
    phase: 'connecting',
    link: 0,
    epoch: epochZero,
    ensembleId: null,
    seed: zxidZero,
    admission: 'joining',
    syncBegun: false,
    snapshotOnly: false,
    adoptEnd: zxidZero,
    serveAt: null,
    serving: false,
    acknowledged: zxidZero,
    held: new Fifo(),
    heldBytes: 0,
    sinceMs: state.nowMs,
    heardMs: state.nowMs,
    retryAtMs: state.nowMs,
    connectsFailed: 0,
  };
}

export function createLeading(
  state: ZabState,
  { vote, round }: Extract<Transition, { readonly to: 'leading' }>,
  returners: readonly ServerId[],
): Leading {
  return {
    role: 'leading',
    vote,
    round,
    phase: 'gathering',
    epoch: epochZero,
    forming: false,
    initialEnd: state.history.last,
    followers: new Map(),
    promised: new Set(),
    returners,
    early: new Set(),
    links: [],
    inFlight: new Fifo(),
    ends: [],
    nonce: 0,
    roundNonce: 0,
    roundRequest: 0,
    waitingRequest: 0,
    pingAtMs: state.nowMs + state.limits.pingIntervalMs,
    phaseSinceMs: state.nowMs,
    lonelySinceMs: null,
  };
}

/** Asks for an election; `step` carries it out once the event is handled. The first reason stands. */
export function lookAgain(state: ZabState, reason: string): void {
  state.transition ??= { to: 'looking', reason };
}

/** One write at a time: what follows it is done when it is durable, if this role still stands then. */
export function persist(state: ZabState, then: Continuation, record: EpochRecord, out: ZabEffect[]): void {
  assert(state.disk === null, `Cannot write the record for ${then}: ${state.disk?.type ?? ''} is under way`);
  assert(
    record.acceptedEpoch >= state.record.acceptedEpoch &&
      record.currentEpoch >= state.record.currentEpoch &&
      record.currentEpoch <= record.acceptedEpoch,
    `Cannot write epochs ${record.acceptedEpoch}/${record.currentEpoch} over ${state.record.acceptedEpoch}/${state.record.currentEpoch}`,
  );
  state.disk = { type: 'persist', then, record, tenure: state.tenure };
  out.push({ type: 'persist', record });
}

export function send(
  to: { readonly peer: ServerId; readonly link: number },
  message: PeerMessage,
  out: ZabEffect[],
): void {
  out.push({ type: 'send', peer: to.peer, link: to.link, message });
}

/** The role, its epoch and whether it serves, as they are now. */
export function tellRole(state: ZabState, out: ZabEffect[]): void {
  const { role, record } = state;
  switch (role.role) {
    case 'looking':
      out.push({ type: 'roleChanged', role: 'looking', epoch: record.currentEpoch, leader: null, serving: false });
      return;
    case 'following':
      out.push({
        type: 'roleChanged',
        role: 'following',
        epoch: role.serving ? role.epoch : record.currentEpoch,
        leader: role.leader,
        serving: role.serving,
      });
      return;
    case 'leading':
      out.push({
        type: 'roleChanged',
        role: 'leading',
        epoch: record.currentEpoch,
        leader: state.self,
        serving: role.phase === 'established',
      });
      return;
  }
}

/** A line for the operator, at most one of a kind in a while. */
export function note(state: ZabState, kind: string, level: 'info' | 'warn', text: string, out: ZabEffect[]): void {
  const last = state.notes.get(kind);
  if (last !== undefined && state.nowMs < last + state.limits.noteIntervalMs) return;
  state.notes.set(kind, state.nowMs);
  out.push({ type: 'note', level, text });
}
