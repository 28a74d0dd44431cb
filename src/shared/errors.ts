// The closed set of errors that a client can see. Every front end maps each code totally; causes are logged, never sent.

/** Closed set of codes, protocol-neutral. */
export const errorCodes = [
  'KEY_EXISTS', // Add of a key that exists
  'KEY_NOT_FOUND', // Get or Delete of a key that does not
  'REVISION_MISMATCH', // expected mod revision differs
  'COMPACTED', // revision older than the compaction point
  'FUTURE_REVISION', // revision not reached yet
  'INVALID_ARGUMENT', // empty key, bad range, unknown field
  'TOO_LARGE', // key, value, frame or batch past its limit
  'OUTCOME_UNKNOWN', // the request may or may not have happened
  'NO_QUORUM', // no leader, or a leader without a quorum: nothing happened
  'TIMEOUT', // deadline passed; a write may still happen
  'OVERLOADED', // a named bound is reached: nothing happened
  'NO_SPACE', // disk is full: nothing happened
  'CORRUPT', // this node found damage in its own data
  'UNAVAILABLE', // node is stopping or not ready: nothing happened
  'UNSUPPORTED', // unknown request or protocol version
  'INTERNAL', // a defect; details are in the server's log
  'LEASE_NOT_FOUND', // no lease with this id, or it has expired
  'LEASE_EXISTS', // grant of a lease id that is taken
  'LEASE_TTL_TOO_LARGE', // time to live past its limit
  'DUPLICATE_KEY', // a transaction changes one key twice
  'TOO_MANY_OPERATIONS', // a transaction with more operations than its limit
  'QUOTA_EXCEEDED', // the data has reached its quota: puts and grants are refused
  'UNAUTHENTICATED', // no valid token
  'AUTHENTICATION_FAILED', // unknown user or wrong password
  'PERMISSION_DENIED', // the user may not do this
  'ACCESS_CHANGED', // users, roles or permissions changed while the request was under way: nothing happened
  'ACCESS_NOT_ENABLED', // access control is off
  'ACCESS_INVALID_CHANGE', // a change that would lock everybody out
  'USER_EXISTS',
  'USER_NOT_FOUND',
  'USER_NAME_EMPTY',
  'ROLE_EXISTS',
  'ROLE_NOT_FOUND',
  'ROLE_NAME_EMPTY',
  'ROLE_NOT_GRANTED', // the user does not have this role
  'PERMISSION_NOT_GRANTED', // the role does not have this permission
  'PERMISSION_MISSING', // a grant without a permission
  'ROOT_USER_MISSING', // access control needs a user root
  'ROOT_ROLE_MISSING', // the user root needs the role root
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** An expected failure at an edge. `message` is fit for the client; `cause` is for the log only. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.code = code;
  }
}
