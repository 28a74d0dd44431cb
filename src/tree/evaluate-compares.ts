// Which way a transaction takes: all of its conditions, and those of the transactions inside the arms that are taken, are
// judged on the state before it, before anything is done.

import { compareBytes } from '../shared/bytes.js';
import type { KeyRecord, KeyState } from './store.js';
import type { Compare, Transaction, TransactionOperation } from './transaction.js';
import type { TransactionReads } from './transaction-reads.js';

/** An operation of the arm that is taken. */
export type PlannedOperation =
  | Exclude<TransactionOperation, { readonly type: 'transaction' }>
  | { readonly type: 'transaction'; readonly plan: TransactionPlan };

export interface TransactionPlan {
  readonly succeeded: boolean;
  readonly operations: readonly PlannedOperation[];
}

export function planTransaction(transaction: Transaction, reads: TransactionReads): TransactionPlan {
  const succeeded = transaction.compares.every((compare) => holds(compare, reads));
  const arm = succeeded ? transaction.success : transaction.failure;
  const operations = arm.map((operation): PlannedOperation => {
    if (operation.type !== 'transaction') return operation;
    return { type: 'transaction', plan: planTransaction(operation.transaction, reads) };
  });
  return { succeeded, operations };
}

function holds(compare: Compare, reads: TransactionReads): boolean {
  const { keys } = compare;
  if (keys.single) {
    if (compare.target === 'value') {
      const record = reads.record(keys.from);
      return record !== undefined && holdsForRecord(compare, record);
    }
    return holdsForState(compare, reads.state(keys.from) ?? absent);
  }
  let seen = false;
  let held = true;
  reads.scan(keys, compare.target !== 'value', (record) => {
    seen = true;
    held = holdsForRecord(compare, record);
    return held;
  });
  if (seen) return held;
  return compare.target !== 'value' && holdsForState(compare, absent);
}

/** What is compared where there is no key. */
const absent = { createRevision: 0, modRevision: 0, version: 0, lease: 0n } as KeyState;

function holdsForRecord(compare: Compare, record: KeyRecord): boolean {
  if (compare.target !== 'value') return holdsForState(compare, record);
  return related(compare, compareBytes(record.value, compare.operand));
}

function holdsForState(compare: Exclude<Compare, { readonly target: 'value' }>, state: KeyState): boolean {
  switch (compare.target) {
    case 'version':
      return related(compare, state.version - compare.operand);
    case 'create':
      return related(compare, state.createRevision - compare.operand);
    case 'mod':
      return related(compare, state.modRevision - compare.operand);
    case 'lease':
      return related(compare, state.lease < compare.operand ? -1 : state.lease > compare.operand ? 1 : 0);
  }
}

function related({ relation }: Compare, difference: number): boolean {
  switch (relation) {
    case 'equal':
      return difference === 0;
    case 'notEqual':
      return difference !== 0;
    case 'greater':
      return difference > 0;
    case 'less':
      return difference < 0;
  }
}
