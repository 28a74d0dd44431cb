// Whether an actor may have a command executed: every key that it reads or writes, judged before anything is done. Only
// the leader runs this, against staged state, so that what was decided holds in the order of the log.

import { unreachable } from '../../shared/assert.js';
import { type Bytes, prefixEnd } from '../../shared/bytes.js';
import type { Actor, Command } from '../command.js';
import { spaces } from '../delta.js';
import { keyOfLeased, leasedKey, leaseKey } from '../lease-records.js';
import type { KeyRecord } from '../store.js';
import type { KeySelection, Transaction, TransactionOperation } from '../transaction.js';
import type { ScanRange } from '../tree-view.js';
import { type AccessJudge, type Grants, mayRead, mayWrite, permissionDenied, type Refusal } from './access-judge.js';
import type { KeyRanges } from './key-ranges.js';

/** The state that the command is judged by. */
export interface CheckedState {
  scan(range: ScanRange, visit: (record: KeyRecord) => boolean): void;
}

/** Undefined: it may. */
export function commandRefusal(
  command: Command,
  actor: Actor,
  judge: AccessJudge,
  state: CheckedState,
): Refusal | undefined {
  if (!judge.enabled) return undefined;
  if (isForAdmins(command)) return judge.adminRefusal(actor);
  const grants = judge.grantsOf(actor);
  if (grants.type === 'failure') return grants;
  return grants.all || isPermitted(command, grants, state) ? undefined : permissionDenied;
}

type AdminCommand = Extract<Command, { type: 'access' | 'alarm' | 'checkpoint' | 'leaseCheckpoint' }>;
type JudgedCommand = Exclude<Command, AdminCommand>;

function isForAdmins(command: Command): command is AdminCommand {
  const { type } = command;
  return type === 'access' || type === 'alarm' || type === 'checkpoint' || type === 'leaseCheckpoint';
}

function isPermitted(command: JudgedCommand, grants: Grants, state: CheckedState): boolean {
  switch (command.type) {
    case 'add':
      // That it fails where the key exists tells about the key.
      return (
        mayRead(grants, keyOnly(command.key)) &&
        mayWrite(grants, keyOnly(command.key)) &&
        mayHang(command.lease, grants, state)
      );
    case 'set':
      return mayChange(command, grants) && mayHang(command.lease, grants, state);
    case 'delete':
      return mayChange(command, grants);
    case 'transact':
      return isTransactionPermitted(command.transaction, grants, state);
    case 'leaseRevoke':
    case 'leaseKeepAlive':
      return holdsOnly(command.id, grants.write, state);
    case 'leaseTimeToLive':
      return !command.wantsKeys || holdsOnly(command.id, grants.read, state);
    // Any user may, as in etcd.
    case 'compact':
    case 'leaseGrant':
      return true;
    default:
      return unreachable(command);
  }
}

/** That the revision is another one tells about the key. */
function mayChange({ key, expectedRevision }: Extract<Command, { type: 'set' | 'delete' }>, grants: Grants): boolean {
  return mayWrite(grants, keyOnly(key)) && (expectedRevision === undefined || mayRead(grants, keyOnly(key)));
}

/** Who may not revoke a lease shall not hang keys on it either: its other keys and the new one go together. */
function mayHang(lease: bigint | undefined, grants: Grants, state: CheckedState): boolean {
  return lease === undefined || lease === 0n || holdsOnly(lease, grants.write, state);
}

/** Both arms count, whichever is taken: which one that is tells about the keys that are compared. */
function isTransactionPermitted(transaction: Transaction, grants: Grants, state: CheckedState): boolean {
  const { compares, success, failure } = transaction;
  const permitted = (operation: TransactionOperation): boolean => isOperationPermitted(operation, grants, state);
  return compares.every(({ keys }) => mayRead(grants, keys)) && success.every(permitted) && failure.every(permitted);
}

function isOperationPermitted(operation: TransactionOperation, grants: Grants, state: CheckedState): boolean {
  switch (operation.type) {
    case 'put': {
      const keys = keyOnly(operation.key);
      if (!mayWrite(grants, keys) || (operation.wantsPrevious && !mayRead(grants, keys))) return false;
      return mayHang(operation.lease, grants, state);
    }
    case 'delete':
      return mayWrite(grants, operation.keys) && (!operation.wantsPrevious || mayRead(grants, operation.keys));
    case 'range':
      return mayRead(grants, operation.selection);
    case 'transaction':
      return isTransactionPermitted(operation.transaction, grants, state);
    default:
      return unreachable(operation);
  }
}

/**
 * Whether all keys of a lease are in a set. Goes from one range of the set to the next, not from key to key: a lease may
 * hold very many.
 */
function holdsOnly(lease: bigint, ranges: KeyRanges, state: CheckedState): boolean {
  const end = prefixEnd(leaseKey(lease));
  let from = leaseKey(lease);
  for (;;) {
    const key = firstKeyOf(from, end, state);
    if (key === undefined) return true;
    const range = ranges.rangeAt(key);
    if (range === undefined) return false;
    if (range.to === undefined) return true;
    from = leasedKey(lease, range.to);
  }
}

/** The user key of the first entry of the index of leases' keys in this range. */
function firstKeyOf(from: Bytes, to: Bytes | undefined, state: CheckedState): Bytes | undefined {
  let first: Bytes | undefined;
  state.scan({ space: spaces.leaseKeys, from, to, at: undefined, keysOnly: true }, (record) => {
    first = keyOfLeased(record.key);
    return false;
  });
  return first;
}

function keyOnly(key: Bytes): KeySelection {
  return { from: key, to: undefined, single: true };
}
