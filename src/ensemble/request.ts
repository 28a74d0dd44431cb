// A client's write on its way through this node, from submit to its one answer.

import type { ErrorCode } from '../shared/errors.js';
import { revisionFirst, zxidZero } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';

/** Writes of this node's clients; plain numbers. */
export interface RequestCounts {
  /** Not answered yet. */
  pending: number;
  /** Not executed, or with an outcome that is not known. */
  failed: number;
}

const notDecided: ReadonlySet<CommandResult['code']> = new Set([
  'NO_QUORUM',
  'OUTCOME_UNKNOWN',
  'OVERLOADED',
  'NO_SPACE',
  'TIMEOUT',
  'UNAVAILABLE',
]);

export interface PendingRequest {
  readonly envelope: CommandEnvelope;
  /** Scheduler time. */
  readonly deadlineMs: number;
  readonly done: (result: CommandResult) => void;
  /**
   * Asked right before it is executed: true when it was taken back, because its answer has no room now; whoever took it
   * submits it again.
   */
  readonly takenBack?: (request: PendingRequest) => boolean;
  /** Where this node counts the requests of its own clients. */
  readonly counts?: RequestCounts;
  /** Set with the one answer; later outcomes of the same request are dropped. */
  answered: boolean;
}

export function answer(request: PendingRequest, result: CommandResult): void {
  if (request.answered) return;
  request.answered = true;
  if (request.counts !== undefined) {
    request.counts.pending -= 1;
    if (result.code !== 'OK' && notDecided.has(result.code)) request.counts.failed += 1;
  }
  request.done(result);
}

/** A result for a request that was not executed here, or whose outcome is not known. */
export function failure(code: ErrorCode, message: string): CommandResult {
  return { code, message, revision: revisionFirst, zxid: zxidZero };
}
