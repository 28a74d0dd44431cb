// What an etcd client is told of a failure: a gRPC status and etcd's own text, to the letter, because clients match it.
// Total over the closed set of codes. The store's message is for other front ends; here it never goes out.

import { type ErrorCode, StoreError } from '../../shared/errors.js';
import { WireError } from '../../wire/protobuf/wire-error.js';
import { type GrpcStatus, grpcStatus } from './grpc/grpc-status.js';

export interface EtcdFailure {
  readonly status: GrpcStatus;
  readonly message: string;
}

/** Thrown by checks of this front end that are etcd's alone, and no other protocol's. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';
  readonly failure: EtcdFailure;

  constructor(failure: EtcdFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

function failure(status: keyof typeof grpcStatus, text: string): EtcdFailure {
  return { status: grpcStatus[status], message: `etcdserver: ${text}` };
}

/** Refusals that are judged here, before the store is asked. */
export const etcdFailures = {
  emptyKey: failure('invalidArgument', 'key is not provided'),
  keyNotFound: failure('invalidArgument', 'key not found'),
  valueProvided: failure('invalidArgument', 'value is provided'),
  leaseProvided: failure('invalidArgument', 'lease is provided'),
  invalidSortOption: failure('invalidArgument', 'invalid sort option'),
  tooManyOperations: failure('invalidArgument', 'too many operations in txn request'),
  duplicateKey: failure('invalidArgument', 'duplicate key given in txn request'),
  requestTooLarge: failure('invalidArgument', 'request is too large'),
  compacted: failure('outOfRange', 'mvcc: required revision has been compacted'),
  futureRevision: failure('outOfRange', 'mvcc: required revision is a future revision'),
  tooManyRequests: failure('resourceExhausted', 'too many requests'),
  leaseNotFound: failure('notFound', 'requested lease not found'),
  memberNotFound: failure('notFound', 'member not found'),
  noLeader: failure('unavailable', 'no leader'),
  notLeader: failure('failedPrecondition', 'not leader'),
  badLeaderTransferee: failure('failedPrecondition', 'bad leader transferee'),
  serverStopped: failure('unavailable', 'server stopped'),
} as const;

const failures: Readonly<Record<ErrorCode, EtcdFailure>> = {
  KEY_EXISTS: failure('failedPrecondition', 'key already exists'),
  KEY_NOT_FOUND: etcdFailures.keyNotFound,
  REVISION_MISMATCH: failure('failedPrecondition', 'revision does not match'),
  COMPACTED: etcdFailures.compacted,
  FUTURE_REVISION: etcdFailures.futureRevision,
  INVALID_ARGUMENT: failure('invalidArgument', 'invalid argument'),
  TOO_LARGE: etcdFailures.requestTooLarge,
  OUTCOME_UNKNOWN: failure('unavailable', 'leader changed'),
  NO_QUORUM: etcdFailures.noLeader,
  TIMEOUT: failure('unavailable', 'request timed out'),
  OVERLOADED: etcdFailures.tooManyRequests,
  NO_SPACE: failure('resourceExhausted', 'mvcc: database space exceeded'),
  CORRUPT: failure('dataLoss', 'corrupt cluster'),
  UNAVAILABLE: etcdFailures.serverStopped,
  UNSUPPORTED: failure('unimplemented', 'not supported'),
  INTERNAL: failure('internal', 'internal error'),
  LEASE_NOT_FOUND: etcdFailures.leaseNotFound,
  LEASE_EXISTS: failure('failedPrecondition', 'lease already exists'),
  LEASE_TTL_TOO_LARGE: failure('outOfRange', 'too large lease TTL'),
  DUPLICATE_KEY: etcdFailures.duplicateKey,
  TOO_MANY_OPERATIONS: etcdFailures.tooManyOperations,
  QUOTA_EXCEEDED: failure('resourceExhausted', 'mvcc: database space exceeded'),
  UNAUTHENTICATED: failure('unauthenticated', 'invalid auth token'),
  AUTHENTICATION_FAILED: failure('invalidArgument', 'authentication failed, invalid user ID or password'),
  PERMISSION_DENIED: failure('permissionDenied', 'permission denied'),
  ACCESS_CHANGED: failure('invalidArgument', 'revision of auth store is old'),
  ACCESS_NOT_ENABLED: failure('failedPrecondition', 'authentication is not enabled'),
  ACCESS_INVALID_CHANGE: failure('invalidArgument', 'invalid auth management'),
  USER_EXISTS: failure('failedPrecondition', 'user name already exists'),
  USER_NOT_FOUND: failure('failedPrecondition', 'user name not found'),
  USER_NAME_EMPTY: failure('invalidArgument', 'user name is empty'),
  ROLE_EXISTS: failure('failedPrecondition', 'role name already exists'),
  ROLE_NOT_FOUND: failure('failedPrecondition', 'role name not found'),
  ROLE_NAME_EMPTY: failure('invalidArgument', 'role name is empty'),
  ROLE_NOT_GRANTED: failure('failedPrecondition', 'role is not granted to the user'),
  PERMISSION_NOT_GRANTED: failure('failedPrecondition', 'permission is not granted to the role'),
  PERMISSION_MISSING: failure('invalidArgument', 'permission not given'),
  ROOT_USER_MISSING: failure('failedPrecondition', 'root user does not exist'),
  ROOT_ROLE_MISSING: failure('failedPrecondition', 'root user does not have root role'),
};

export function failureOfCode(code: ErrorCode): EtcdFailure {
  return failures[code];
}

/** Total: whatever was thrown has an answer. `isDefect` for what the log should say. */
export function failureOf(error: unknown): EtcdFailure & { readonly isDefect?: true } {
  if (error instanceof EtcdError) return error.failure;
  if (error instanceof StoreError) return failures[error.code];
  if (error instanceof WireError) {
    return { status: grpcStatus.internal, message: `grpc: error unmarshalling request: ${error.message}` };
  }
  return { ...failures.INTERNAL, isDefect: true };
}

const statusNames = {
  [grpcStatus.ok]: 'OK',
  [grpcStatus.cancelled]: 'Canceled',
  [grpcStatus.unknown]: 'Unknown',
  [grpcStatus.invalidArgument]: 'InvalidArgument',
  [grpcStatus.deadlineExceeded]: 'DeadlineExceeded',
  [grpcStatus.notFound]: 'NotFound',
  [grpcStatus.alreadyExists]: 'AlreadyExists',
  [grpcStatus.permissionDenied]: 'PermissionDenied',
  [grpcStatus.resourceExhausted]: 'ResourceExhausted',
  [grpcStatus.failedPrecondition]: 'FailedPrecondition',
  [grpcStatus.aborted]: 'Aborted',
  [grpcStatus.outOfRange]: 'OutOfRange',
  [grpcStatus.unimplemented]: 'Unimplemented',
  [grpcStatus.internal]: 'Internal',
  [grpcStatus.unavailable]: 'Unavailable',
  [grpcStatus.dataLoss]: 'DataLoss',
  [grpcStatus.unauthenticated]: 'Unauthenticated',
} as const satisfies Record<GrpcStatus, string>;

/** A failure as Go prints it, where etcd puts one into a message: clients match these too. */
export function statusText({ status, message }: EtcdFailure): string {
  return `rpc error: code = ${statusNames[status]} desc = ${message}`;
}
