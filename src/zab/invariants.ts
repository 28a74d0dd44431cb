// Assertions over the state of one node, cheap enough for every step in production, and over several nodes for the
// simulator and tests. Numbers are those of SPEC.md. Never changes a state.

import { assert } from '../shared/assert.js';
import { type Epoch, epochOf, formatZxid, type ServerId } from '../shared/ids.js';
import type { EpochRecord } from './effects.js';
import { lacksSeed } from './seeds.js';
import type { ZabState } from './state.js';
import { isVoter } from './voters.js';

/** Holds between any two steps. */
export function checkStep(state: ZabState): void {
  const { history, record, role } = state;
  assert(record.currentEpoch <= record.acceptedEpoch, '2: currentEpoch is above acceptedEpoch');
  assert(
    history.base <= history.durable && history.durable <= history.last,
    '10: the ends of the log are out of order',
  );
  assert(
    state.delivered <= state.committed && state.delivered <= history.durable,
    '18: delivered more than is committed and durable',
  );
  assert(history.base <= state.delivered, '18: the log starts after what was delivered');
  assert(epochOf(history.last) <= record.acceptedEpoch, '3: the log is above acceptedEpoch');
  if (role.role === 'following') {
    const synchronized = role.phase === 'synchronized' || role.phase === 'upToDate';
    assert(!synchronized || record.currentEpoch === role.epoch, '6: synchronized before currentEpoch is durable');
    assert(role.acknowledged <= history.durable, '7: acknowledged more than is durable');
  } else if (role.role === 'leading') {
    const crowned = role.phase === 'synchronizing' || role.phase === 'established';
    assert(!crowned || record.currentEpoch === role.epoch, '4: leads an epoch that is not durable');
    assert(!crowned || isVoter(record), '24: leads without being a voter');
    assert(
      !crowned || !lacksSeed(record, history.last),
      '4: leads without the data that its ensemble was restored with',
    );
    assert(role.phase === 'established' || history.last === role.initialEnd, '14: proposed before it was established');
    assert(
      role.phase !== 'established' || state.committed >= role.initialEnd,
      '14: established without its initial history',
    );
  }
}

/** The epoch of which this node believes to be the established leader. */
export function establishedEpoch(state: ZabState): Epoch | undefined {
  return state.role.role === 'leading' && state.role.phase === 'established' ? state.role.epoch : undefined;
}

/** 2: what a record may become. */
export function checkRecordChange(before: EpochRecord, after: EpochRecord): void {
  assert(
    after.acceptedEpoch >= before.acceptedEpoch,
    `2: acceptedEpoch went from ${before.acceptedEpoch} to ${after.acceptedEpoch}`,
  );
  assert(
    after.currentEpoch >= before.currentEpoch,
    `2: currentEpoch went from ${before.currentEpoch} to ${after.currentEpoch}`,
  );
  assert(after.currentEpoch <= after.acceptedEpoch, '2: currentEpoch is above acceptedEpoch');
}

/** 1: `leaders` remembers, over a whole run, who was established in which epoch. */
export function checkSoleLeader(leaders: Map<Epoch, ServerId>, state: ZabState): void {
  const epoch = establishedEpoch(state);
  if (epoch === undefined) return;
  const other = leaders.get(epoch);
  assert(other === undefined || other === state.self, `1: servers ${other} and ${state.self} both lead epoch ${epoch}`);
  leaders.set(epoch, state.self);
}

/** One line for traces and failures. */
export function describe(state: ZabState): string {
  const { role, record, history } = state;
  const phase = role.role === 'looking' ? `round ${role.round}` : role.phase;
  const log = `${formatZxid(history.base)}..${formatZxid(history.durable)}/${formatZxid(history.last)}`;
  return `${state.self} ${role.role} (${phase}) epochs ${record.acceptedEpoch}/${record.currentEpoch} log ${log} delivered ${formatZxid(state.delivered)}`;
}
