// What a request must satisfy before anything is asked of the ensemble: sizes and shapes, judged by named limits. Each
// check returns the error fit for the client, or null; none of them looks at the tree.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { CommandEnvelope, RequestIdentity } from '../tree/command.js';
import { checkTransaction, type TransactionLimits } from './transaction-checks.js';

/** The limits that requests are judged by; names and units as in the server's configuration. */
export interface RequestLimits extends TransactionLimits {
  readonly broadcastBytesMax: number;
}

export function checkKey(key: Bytes, limits: RequestLimits): StoreError | null {
  if (key.length === 0) return new StoreError('INVALID_ARGUMENT', 'The key is empty');
  return checkKeyLength(key, limits);
}

function checkKeyLength(key: Bytes, limits: RequestLimits): StoreError | null {
  if (key.length <= limits.keyBytesMax) return null;
  return new StoreError('TOO_LARGE', `The key has ${key.length} bytes: the limit is ${limits.keyBytesMax}`);
}

function checkValue(value: Bytes, limits: RequestLimits): StoreError | null {
  if (value.length <= limits.valueBytesMax) return null;
  return new StoreError('TOO_LARGE', `The value has ${value.length} bytes: the limit is ${limits.valueBytesMax}`);
}

/** Ends of a range: any bytes short enough, in order. */
export function checkRange(from: Bytes, to: Bytes | undefined, limits: RequestLimits): StoreError | null {
  const tooLong = checkKeyLength(from, limits) ?? (to === undefined ? null : checkKeyLength(to, limits));
  if (tooLong !== null) return tooLong;
  if (to !== undefined && compareBytes(from, to) > 0) {
    return new StoreError('INVALID_ARGUMENT', 'The range ends before it begins');
  }
  return null;
}

export function checkPayload(payload: Bytes, limits: RequestLimits): StoreError | null {
  if (payload.length <= limits.broadcastBytesMax) return null;
  return new StoreError(
    'TOO_LARGE',
    `The message has ${payload.length} bytes: the limit is ${limits.broadcastBytesMax}`,
  );
}

export function checkIdentity(identity: RequestIdentity): StoreError | null {
  const { client, request, acknowledgedBelow } = identity;
  if (client >= 1 && request >= 1 && acknowledgedBelow <= request) return null;
  return new StoreError(
    'INVALID_ARGUMENT',
    'The request identity needs a client and a request number from 1, and acknowledges no number above its own',
  );
}

export function checkCommand(envelope: CommandEnvelope, limits: RequestLimits): StoreError | null {
  const { command, identity } = envelope;
  const badIdentity = identity === undefined ? null : checkIdentity(identity);
  if (badIdentity !== null) return badIdentity;
  switch (command.type) {
    case 'add':
    case 'set':
      return checkKey(command.key, limits) ?? checkValue(command.value, limits);
    case 'delete':
      return checkKey(command.key, limits);
    case 'compact':
      return command.revision >= 1 ? null : new StoreError('INVALID_ARGUMENT', 'The revision to compact to is missing');
    case 'transact':
      return checkTransaction(command.transaction, limits);
    case 'leaseGrant':
    case 'leaseRevoke':
    case 'leaseKeepAlive':
    case 'leaseTimeToLive':
    case 'alarm':
      return null;
    case 'access':
      return new StoreError('UNSUPPORTED', 'Access control is not changed by a plain write');
    case 'leaseCheckpoint':
    case 'checkpoint':
      return new StoreError('UNSUPPORTED', 'A checkpoint is not a client request: ask for the digest of all members');
  }
}
