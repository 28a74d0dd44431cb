// Exit codes of the command line, and which failure ends with which.

import { ConfigError } from '../config/config-error.js';
import { DamageError } from '../shared/damage-error.js';
import { type ErrorCode, StoreError } from '../shared/errors.js';

export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  /** get, delete: there is no such key. */
  missing: 3,
  /** add: the key is there. */
  exists: 4,
  /** No quorum, nobody reachable, or no answer in time. */
  unavailable: 5,
  /** server: what the node keeps on disk is damaged; it is to be rebuilt. */
  damaged: 6,
  /** simulate: Ctrl-C ended it early; what a shell says of a program that the signal has ended. */
  interrupted: 130,
} as const;

const codesOfErrors: Readonly<Record<ErrorCode, number>> = {
  KEY_EXISTS: exitCodes.exists,
  KEY_NOT_FOUND: exitCodes.missing,
  REVISION_MISMATCH: exitCodes.failed,
  COMPACTED: exitCodes.failed,
  FUTURE_REVISION: exitCodes.failed,
  INVALID_ARGUMENT: exitCodes.failed,
  TOO_LARGE: exitCodes.failed,
  OUTCOME_UNKNOWN: exitCodes.unavailable,
  NO_QUORUM: exitCodes.unavailable,
  TIMEOUT: exitCodes.unavailable,
  OVERLOADED: exitCodes.failed,
  NO_SPACE: exitCodes.failed,
  CORRUPT: exitCodes.failed,
  UNAVAILABLE: exitCodes.unavailable,
  UNSUPPORTED: exitCodes.failed,
  INTERNAL: exitCodes.failed,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return exitCodes.usage;
  if (error instanceof DamageError) return exitCodes.damaged;
  return error instanceof StoreError ? codesOfErrors[error.code] : exitCodes.failed;
}

/** One line for a person. */
export function errorText(error: unknown): string {
  if (error instanceof StoreError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
