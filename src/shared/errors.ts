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
