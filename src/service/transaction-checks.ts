// What a transaction must satisfy before anything is asked of the ensemble, as etcd checks it: sizes, counts and nesting,
// and that no key is changed twice on any way through it. Looks at the request alone.

import type { Bytes } from '../shared/bytes.js';
import { compareBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { KeySelection, Transaction, TransactionOperation } from '../tree/transaction.js';

export interface TransactionLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  readonly transactionOperationsMax: number;
  readonly transactionDepthMax: number;
  readonly transactionBytesMax: number;
}

/** Operations and conditions of a transaction with all that is nested in it: more than any that means something. */
const operationsTotalMax = 4096;

export function checkTransaction(transaction: Transaction, limits: TransactionLimits): StoreError | null {
  const size = new TransactionSize(limits);
  return (
    size.check(transaction, limits.transactionOperationsMax, 1) ??
    checkChanges(transaction.success) ??
    checkChanges(transaction.failure)
  );
}

/** Keys of a selection: none is empty; ends may be one byte longer than a key, so that they may lie behind any. */
export function checkSelection({ from, to }: KeySelection, keyBytesMax: number): StoreError | null {
  if (from.length === 0) return new StoreError('INVALID_ARGUMENT', 'The key is empty');
  const longest = Math.max(from.length, to?.length ?? 0);
  if (longest <= keyBytesMax + 1) return null;
  return new StoreError('TOO_LARGE', `The key has ${longest} bytes: the limit is ${keyBytesMax}`);
}

class TransactionSize {
  private readonly limits: TransactionLimits;
  private operations = 0;
  private bytes = 0;

  constructor(limits: TransactionLimits) {
    this.limits = limits;
  }

  /** `operationsMax`: what those around it leave to it. */
  check({ compares, success, failure }: Transaction, operationsMax: number, depth: number): StoreError | null {
    const { transactionDepthMax, keyBytesMax } = this.limits;
    const most = Math.max(compares.length, success.length, failure.length);
    this.operations += compares.length + success.length + failure.length;
    if (most > operationsMax || this.operations > operationsTotalMax) return this.tooMany();
    if (depth > transactionDepthMax) {
      const message = `The transaction nests deeper than ${transactionDepthMax} (transactionDepthMax)`;
      return new StoreError('TOO_MANY_OPERATIONS', message);
    }
    for (const compare of compares) {
      const refused = checkSelection(compare.keys, keyBytesMax);
      if (refused !== null) return refused;
      this.bytes += compare.target === 'value' ? compare.operand.length : 0;
    }
    const left = operationsMax - most;
    const refused = this.checkArm(success, left, depth) ?? this.checkArm(failure, left, depth);
    if (refused !== null) return refused;
    const { transactionBytesMax } = this.limits;
    if (this.bytes <= transactionBytesMax) return null;
    return new StoreError('TOO_LARGE', `The transaction has more than ${transactionBytesMax} bytes`);
  }

  private checkArm(
    operations: readonly TransactionOperation[],
    operationsMax: number,
    depth: number,
  ): StoreError | null {
    for (const operation of operations) {
      const refused =
        operation.type === 'transaction'
          ? this.check(operation.transaction, operationsMax, depth + 1)
          : this.checkOperation(operation);
      if (refused !== null) return refused;
    }
    return null;
  }

  private tooMany(): StoreError {
    const { transactionOperationsMax } = this.limits;
    return new StoreError(
      'TOO_MANY_OPERATIONS',
      `The transaction has too many operations: the limit is ${transactionOperationsMax} conditions and as many operations, those of nested ones included`,
    );
  }

  private checkOperation(operation: Exclude<TransactionOperation, { type: 'transaction' }>): StoreError | null {
    const { keyBytesMax } = this.limits;
    switch (operation.type) {
      case 'delete':
        return checkSelection(operation.keys, keyBytesMax);
      case 'range':
        return checkSelection(operation.selection, keyBytesMax);
      case 'put':
        this.bytes += operation.key.length + operation.value.length;
        return this.checkPut(operation);
    }
  }

  private checkPut(put: Extract<TransactionOperation, { type: 'put' }>): StoreError | null {
    const { keyBytesMax, valueBytesMax } = this.limits;
    const { key, value, lease, ignoreValue, ignoreLease } = put;
    if (key.length === 0) return new StoreError('INVALID_ARGUMENT', 'The key is empty');
    if (key.length > keyBytesMax)
      return new StoreError('TOO_LARGE', `The key has ${key.length} bytes: the limit is ${keyBytesMax}`);
    if (value.length > valueBytesMax)
      return new StoreError('TOO_LARGE', `The value has ${value.length} bytes: the limit is ${valueBytesMax}`);
    if (ignoreValue && value.length > 0)
      return new StoreError('INVALID_ARGUMENT', 'A put that keeps the value has a value');
    if (ignoreLease && lease !== 0n)
      return new StoreError('INVALID_ARGUMENT', 'A put that keeps the lease has a lease');
    return null;
  }
}

/** The keys that operations put and delete on any way through them. */
class Changes {
  readonly puts = new Set<string>();
  private readonly deleted = new Set<string>();
  private readonly ranges: { readonly from: string; readonly to: string | undefined }[] = [];

  delete({ from, to, single }: KeySelection): void {
    if (single) this.deleted.add(textOf(from));
    else if (to === undefined || compareBytes(from, to) < 0)
      this.ranges.push({ from: textOf(from), to: to === undefined ? undefined : textOf(to) });
  }

  deletes(key: string): boolean {
    return this.deleted.has(key) || this.ranges.some(({ from, to }) => from <= key && (to === undefined || key < to));
  }

  addDeletes(other: Changes): void {
    for (const key of other.deleted) this.deleted.add(key);
    this.ranges.push(...other.ranges);
  }
}

function checkChanges(operations: readonly TransactionOperation[]): StoreError | null {
  const first = operations[0];
  // Most arms have nothing or a single operation.
  if (first === undefined || (operations.length === 1 && first.type !== 'transaction')) return null;
  const found = changesOf(operations);
  return found instanceof StoreError ? found : null;
}

/** As in etcd: deletes of this level, then what is nested, one after the other, then puts of this level. */
function changesOf(operations: readonly TransactionOperation[]): Changes | StoreError {
  const changes = new Changes();
  for (const operation of operations) if (operation.type === 'delete') changes.delete(operation.keys);
  for (const operation of operations) {
    if (operation.type !== 'transaction') continue;
    const success = changesOf(operation.transaction.success);
    if (success instanceof StoreError) return success;
    const failure = changesOf(operation.transaction.failure);
    if (failure instanceof StoreError) return failure;
    for (const key of success.puts) {
      if (changes.puts.has(key) || changes.deletes(key)) return duplicate();
    }
    for (const key of failure.puts) {
      // Only one of the arms is taken.
      if (changes.puts.has(key) || changes.deletes(key)) return duplicate();
    }
    for (const key of success.puts) changes.puts.add(key);
    for (const key of failure.puts) changes.puts.add(key);
    changes.addDeletes(success);
    changes.addDeletes(failure);
  }
  for (const operation of operations) {
    if (operation.type !== 'put') continue;
    const key = textOf(operation.key);
    if (changes.puts.has(key) || changes.deletes(key)) return duplicate();
    changes.puts.add(key);
  }
  return changes;
}

function duplicate(): StoreError {
  return new StoreError('DUPLICATE_KEY', 'The transaction changes a key twice');
}

/** One character a byte, in the order of the bytes. */
function textOf(key: Bytes): string {
  let text = '';
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}
