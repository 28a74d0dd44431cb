// What came of judging a command: operations of one entry, an answer, or a failure.

import type { ErrorCode } from '../shared/errors.js';
import type { CommandOutput } from './command.js';
import type { Operation } from './delta.js';

export type Failure = { readonly type: 'failure'; readonly code: ErrorCode; readonly message: string };

export type Outcome =
  /** Operations of one entry, in order; none: nothing changes, and the answer is all there is. */
  { readonly type: 'effect'; readonly operations: readonly Operation[]; readonly output?: CommandOutput } | Failure;

export function failure(code: ErrorCode, message: string): Failure {
  return { type: 'failure', code, message };
}
