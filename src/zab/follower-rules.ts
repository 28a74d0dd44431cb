// What a follower may do when: which message of its leader may come in which phase, which batches it takes, when the
// leader's history is its own, what it may acknowledge. Decides only; sends and writes nothing.

import { epochOf, type Zxid } from '../shared/ids.js';
import { type History, positionOf } from './history.js';
import type { Batch, LeaderMessage } from './messages.js';
import type { Following } from './state.js';

/** What a leader says once it was offered and promised its epoch. */
export type Advance = Exclude<LeaderMessage, { readonly type: 'ping' | 'leaderInfo' }>;

/** Every message of an advancing leader and the phases in which it may come. */
const phasesOf: Readonly<Record<Advance['type'], readonly Following['phase'][]>> = {
  truncate: ['synchronizing'],
  snapshot: ['synchronizing'],
  proposal: ['synchronizing', 'adopting', 'synchronized', 'upToDate'],
  newLeader: ['synchronizing'],
  upToDate: ['synchronized'],
  commit: ['synchronized', 'upToDate'],
};

export function isInOrder(following: Following, message: Advance): boolean {
  if ((message.type === 'truncate' || message.type === 'snapshot') && following.syncBegun) return false;
  return phasesOf[message.type].includes(following.phase);
}

/** What becomes of a batch: what comes next is taken, what is here already is ignored, anything else ends the link. */
export type Intake = 'append' | 'ignore' | 'refuse';

export function intakeOf(history: History, following: Following, batch: Batch): Intake {
  if (following.snapshotOnly || epochOf(batch.last) > following.epoch) return 'refuse';
  const position = positionOf(history.last, batch);
  if (position === 'next') return 'append';
  return position === 'duplicate' && following.phase !== 'synchronizing' ? 'ignore' : 'refuse';
}

/** Everything before newLeader is durable: this history is this node's own, and currentEpoch may be written. */
export function mayAdopt(history: History, following: Following): boolean {
  return history.durable >= following.adoptEnd;
}

/** Proposals are acknowledged behind newLeader only. */
export function mayAcknowledge(following: Following): boolean {
  return following.phase === 'synchronized' || following.phase === 'upToDate';
}

/** How far an acknowledgment of newLeader may reach. */
export function acknowledgedEnd(history: History): Zxid {
  return history.durable;
}
