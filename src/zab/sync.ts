// How a leader brings a follower's log to its own (zab.md, Synchronization). Decides only; sends and writes nothing.

import { type EnsembleId, epochOf, formatZxid, type Zxid, zxidZero } from '../shared/ids.js';
import type { SyncPlan } from './effects.js';
import { commonPoint, type History } from './history.js';
import { epochEndsMax } from './messages.js';
import { isSeed } from './seeds.js';
import type { AckEpoch, FollowerInfo } from './state.js';

export type SyncDecision =
  | { readonly type: 'plan'; readonly plan: SyncPlan }
  /** The logs contradict each other or the point where they part cannot be told. */
  | { readonly type: 'refuse'; readonly reason: string };

export interface SyncQuestion {
  /** Everything the leader has proposed, durable or not. */
  readonly history: History;
  readonly ensembleId: EnsembleId;
  readonly info: FollowerInfo;
  readonly promise: AckEpoch;
  /** The leader's whole history up to its election is committed. */
  readonly established: boolean;
}

/** True if what this follower has logged belongs to another ensemble, so that equal zxids mean nothing. */
export function isForeignLog(ensembleId: EnsembleId, info: FollowerInfo): boolean {
  return info.ensembleId !== ensembleId && info.lastZxid !== zxidZero;
}

export function planSync(question: SyncQuestion): SyncDecision {
  const { history, promise } = question;
  // What each member restored for itself is not known to be equal, whatever ensemble it belongs to by now.
  if (isForeignLog(question.ensembleId, question.info) || isSeed(question.info.lastZxid))
    return { type: 'plan', plan: { kind: 'snapshot' } };
  const common = commonPoint(history, promise.epochEnds);
  const cut = promise.epochEnds.length === epochEndsMax;
  if (common === undefined || (cut && common < (promise.epochEnds[0]?.last ?? zxidZero))) {
    // With a cut list the logs may share more than can be seen, and an image must not be older than that.
    if (cut && !question.established) return refuse('too many epochs to compare before the ensemble is established');
    return { type: 'plan', plan: { kind: 'snapshot' } };
  }
  if (common < promise.committed) {
    return refuse(`it knows ${formatZxid(promise.committed)} committed, the logs part at ${formatZxid(common)}`);
  }
  if (common === promise.lastZxid) return { type: 'plan', plan: { kind: 'diff', after: common } };
  return { type: 'plan', plan: { kind: 'truncate', to: common } };
}

function refuse(reason: string): SyncDecision {
  return { type: 'refuse', reason };
}

/** What keeps a follower from truncating its log to `to`; undefined: nothing. */
export function truncationObstacle(history: History, delivered: Zxid, to: Zxid): string | undefined {
  if (to < delivered) return `truncation to ${formatZxid(to)} would undo ${formatZxid(delivered)}, which is committed`;
  if (to < history.base || to > history.last) return `truncation to ${formatZxid(to)} lies outside the log`;
  const end = history.ends.find(({ epoch }) => epoch === epochOf(to));
  if (to !== zxidZero && (end === undefined || end.last < to))
    return `truncation to ${formatZxid(to)}, which is not in the log`;
  return undefined;
}
