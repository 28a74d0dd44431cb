// What a command does: judged against a view, it gives operations or a failure. Only the leader runs this; it changes
// nothing itself. Sizes were checked before (src/service); only what would break the tree is asserted here.

import { assert, unreachable } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { type AccessChange, executeAccessChange } from './access/access-change.js';
import { executeAlarm, refusalOf } from './alarms.js';
import type { Command } from './command.js';
import { failure, type Outcome } from './command-outcome.js';
import type { CommandView } from './command-view.js';
import { type Operation, spaces } from './delta.js';
import { executeTransaction } from './execute-transaction.js';
import {
  checkpointLeases,
  grantLease,
  keepLeaseAlive,
  type LeasePort,
  leaseTimeToLive,
  revokeLease,
} from './lease-commands.js';
import { leasedKey } from './lease-records.js';
import { missingLease, putOperations } from './put-operations.js';
import type { KeyState } from './store.js';
import type { TransactionLimits } from './transaction-reads.js';

/** What some commands need beside the state. */
export interface CommandParts {
  readonly leases: LeasePort;
  readonly limits: TransactionLimits;
}

export function executeCommand(command: Command, view: CommandView, { leases, limits }: CommandParts): Outcome {
  const refusal = refusalOf(command, view);
  if (refusal !== undefined) return refusal;
  switch (command.type) {
    case 'add':
      return add(command, view);
    case 'set':
      return set(command, view);
    case 'delete':
      return remove(command, view);
    case 'compact':
      return compact(command.revision, view);
    case 'alarm':
      return executeAlarm(command, view);
    case 'checkpoint':
      // Each pending checkpoint holds a generation of its own, so only one at a time.
      if (view.checkpointPending) return failure('OVERLOADED', 'Cannot begin a checkpoint: another one is under way');
      return { type: 'effect', operations: [{ type: 'checkpoint' }] };
    case 'transact':
      return executeTransaction(command.transaction, view, limits);
    case 'leaseGrant':
      return grantLease(command, view, leases);
    case 'leaseRevoke':
      return revokeLease(command, view, leases);
    case 'leaseKeepAlive':
      return keepLeaseAlive(command, view);
    case 'leaseTimeToLive':
      return leaseTimeToLive(command, view, leases);
    case 'leaseCheckpoint':
      return checkpointLeases(command, view);
    case 'access':
      return changeAccess(command.change, view);
    default:
      return unreachable(command);
  }
}

function changeAccess(change: AccessChange, { access, revision }: CommandView): Outcome {
  const outcome = executeAccessChange(change, access.stagedView, access.bytesMax);
  if (outcome.type === 'failure') return outcome;
  const operations = outcome.rows.map(
    ({ key, value }): Operation =>
      value === null
        ? { type: 'delete', space: spaces.access, key }
        : { type: 'put', space: spaces.access, key, value, createRevision: revision, version: 1, lease: 0n },
  );
  return { type: 'effect', operations };
}

function add(command: Extract<Command, { readonly type: 'add' }>, view: CommandView): Outcome {
  const current = view.stateOf(checked(command.key));
  if (current !== undefined) {
    return failure('KEY_EXISTS', `Cannot add the key: it exists since revision ${current.createRevision}`);
  }
  return put(command, undefined, view);
}

function set(command: Extract<Command, { readonly type: 'set' }>, view: CommandView): Outcome {
  const current = view.stateOf(checked(command.key));
  const expected = command.expectedRevision;
  if (expected !== undefined && expected !== (current?.modRevision ?? 0)) return mismatch(current, expected);
  return put(command, current, view);
}

function remove(command: { readonly key: Bytes; readonly expectedRevision?: Revision }, view: CommandView): Outcome {
  const current = view.stateOf(checked(command.key));
  if (current === undefined) return failure('KEY_NOT_FOUND', 'Cannot delete the key: it does not exist');
  const expected = command.expectedRevision;
  if (expected !== undefined && expected !== current.modRevision) return mismatch(current, expected);
  const operation: Operation = { type: 'delete', space: spaces.user, key: command.key };
  if (current.lease === 0n) return { type: 'effect', operations: [operation] };
  const held: Operation = { type: 'delete', space: spaces.leaseKeys, key: leasedKey(current.lease, command.key) };
  return { type: 'effect', operations: [operation, held] };
}

function compact(revision: Revision, view: CommandView): Outcome {
  if (revision > view.revision) {
    return failure('FUTURE_REVISION', `Cannot compact to revision ${revision}: the current one is ${view.revision}`);
  }
  if (revision <= view.compactedRevision) {
    return failure(
      'COMPACTED',
      `Cannot compact to revision ${revision}: compacted to ${view.compactedRevision} already`,
    );
  }
  return { type: 'effect', operations: [{ type: 'compactTo', revision }] };
}

function put(
  { key, value, lease = 0n }: Extract<Command, { readonly type: 'add' | 'set' }>,
  current: KeyState | undefined,
  view: CommandView,
): Outcome {
  const missing = missingLease(lease, view);
  if (missing !== null) return missing;
  return { type: 'effect', operations: putOperations(key, value, { current, lease, revision: view.revision }) };
}

function mismatch(current: KeyState | undefined, expected: Revision): Outcome {
  const actual = current === undefined ? 'the key does not exist' : `it is ${current.modRevision}`;
  return failure('REVISION_MISMATCH', `Expected mod revision ${expected}, but ${actual}`);
}

function checked(key: Bytes): Bytes {
  assert(key.length > 0, 'Cannot execute a command on an empty key');
  return key;
}
