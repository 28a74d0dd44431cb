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
  LEASE_NOT_FOUND: exitCodes.missing,
  LEASE_EXISTS: exitCodes.exists,
  LEASE_TTL_TOO_LARGE: exitCodes.failed,
  DUPLICATE_KEY: exitCodes.failed,
  TOO_MANY_OPERATIONS: exitCodes.failed,
  QUOTA_EXCEEDED: exitCodes.failed,
  UNAUTHENTICATED: exitCodes.failed,
  AUTHENTICATION_FAILED: exitCodes.failed,
  PERMISSION_DENIED: exitCodes.failed,
  ACCESS_CHANGED: exitCodes.failed,
  ACCESS_NOT_ENABLED: exitCodes.failed,
  ACCESS_INVALID_CHANGE: exitCodes.failed,
  USER_EXISTS: exitCodes.exists,
  USER_NOT_FOUND: exitCodes.missing,
  USER_NAME_EMPTY: exitCodes.failed,
  ROLE_EXISTS: exitCodes.exists,
  ROLE_NOT_FOUND: exitCodes.missing,
  ROLE_NAME_EMPTY: exitCodes.failed,
  ROLE_NOT_GRANTED: exitCodes.failed,
  PERMISSION_NOT_GRANTED: exitCodes.failed,
  PERMISSION_MISSING: exitCodes.failed,
  ROOT_USER_MISSING: exitCodes.failed,
  ROOT_ROLE_MISSING: exitCodes.failed,
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
