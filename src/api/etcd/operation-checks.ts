// What a request about a client's data must satisfy before the store is asked, in etcd's order and with its answers. None
// of these checks looks at the store.

import { type Bytes, compareBytes } from '../../shared/bytes.js';
import type { KeySelection, Transaction, TransactionOperation } from '../../tree/transaction.js';
import { operationMissing, rangeUnsortable } from './codec/operation-requests.js';
import { type EtcdFailure, etcdFailures } from './errors.js';
import { KeyIntervals } from './key-intervals.js';

/** Returns what the client is to be told, or null. */
export function checkOperation(operation: Exclude<TransactionOperation, { type: 'transaction' }>): EtcdFailure | null {
  switch (operation.type) {
    case 'range':
      if (operation === operationMissing) return etcdFailures.keyNotFound;
      if (operation === rangeUnsortable) return etcdFailures.invalidSortOption;
      return operation.selection.from.length === 0 ? etcdFailures.emptyKey : null;
    case 'delete':
      return operation.keys.from.length === 0 ? etcdFailures.emptyKey : null;
    case 'put':
      if (operation.key.length === 0) return etcdFailures.emptyKey;
      if (operation.ignoreValue && operation.value.length > 0) return etcdFailures.valueProvided;
      if (operation.ignoreLease && operation.lease !== 0n) return etcdFailures.leaseProvided;
      return null;
  }
}

/** `operationsMax`: conditions, and operations of each arm; a nested transaction has what its parent leaves. */
export function checkTransaction(transaction: Transaction, operationsMax: number): EtcdFailure | null {
  return (
    checkShape(transaction, operationsMax) ??
    checkArm(transaction.success).failure ??
    checkArm(transaction.failure).failure
  );
}

function checkShape({ compares, success, failure }: Transaction, operationsMax: number): EtcdFailure | null {
  const operations = Math.max(compares.length, success.length, failure.length);
  if (operations > operationsMax) return etcdFailures.tooManyOperations;
  if (compares.some(({ keys }) => keys.from.length === 0)) return etcdFailures.emptyKey;
  const left = operationsMax - operations;
  for (const arm of [success, failure]) {
    for (const operation of arm) {
      const refusal =
        operation.type === 'transaction' ? checkShape(operation.transaction, left) : checkOperation(operation);
      if (refusal !== null) return refusal;
    }
  }
  return null;
}

interface ArmKeys {
  readonly failure: EtcdFailure | null;
  readonly puts: ReadonlySet<string>;
  readonly deletes: KeyIntervals;
}

/** No key may be put twice, or put where it is deleted, unless only one of the two can come to pass. */
function checkArm(operations: readonly TransactionOperation[]): ArmKeys {
  const puts = new Set<string>();
  const deletes = new KeyIntervals();
  const refused: ArmKeys = { failure: etcdFailures.duplicateKey, puts, deletes };
  for (const operation of operations) if (operation.type === 'delete') addSelection(deletes, operation.keys);
  for (const operation of operations) {
    if (operation.type !== 'transaction') continue;
    const success = checkArm(operation.transaction.success);
    if (success.failure !== null) return success;
    const failure = checkArm(operation.transaction.failure);
    if (failure.failure !== null) return failure;
    for (const key of success.puts) {
      if (puts.has(key) || deletes.has(bytesOfName(key))) return refused;
      puts.add(key);
    }
    for (const key of failure.puts) {
      if ((puts.has(key) && !success.puts.has(key)) || deletes.has(bytesOfName(key))) return refused;
      puts.add(key);
    }
    deletes.addAll(success.deletes);
    deletes.addAll(failure.deletes);
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue;
    const key = nameOf(operation.key);
    if (puts.has(key) || deletes.has(operation.key)) return refused;
    puts.add(key);
  }
  return { failure: null, puts, deletes };
}

function addSelection(intervals: KeyIntervals, { from, to, single }: KeySelection): void {
  if (single) intervals.add(from, justAfter(from));
  else if (to === undefined || compareBytes(from, to) < 0) intervals.add(from, to);
}

function justAfter(key: Bytes): Bytes {
  const after = new Uint8Array(key.length + 1);
  after.set(key);
  return after;
}

/** One character a byte, so that a set can hold keys. */
function nameOf(key: Bytes): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

function bytesOfName(name: string): Bytes {
  return Buffer.from(name, 'latin1');
}
