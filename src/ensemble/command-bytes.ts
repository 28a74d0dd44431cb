// How much a command adds to a batch, before it is executed, and how much its answer holds: batches are cut by this, and a
// frame takes any such batch.

import type { CommandEnvelope, CommandOutput, CommandResult } from '../tree/command.js';
import type { Entry } from '../tree/delta.js';
import type { KeyRecord } from '../tree/store.js';
import type { OperationOutcome, Transaction, TransactionOperation } from '../tree/transaction.js';

/** Rough bytes of an entry, an operation or a record around its key and value. */
const overheadBytes = 64;

export function commandBytes({ command }: CommandEnvelope): number {
  switch (command.type) {
    case 'add':
    case 'set':
      return command.key.length + command.value.length + overheadBytes;
    case 'delete':
      return command.key.length + overheadBytes;
    case 'transact':
      return transactionBytes(command.transaction);
    case 'leaseCheckpoint':
      return (command.leases.length + 1) * overheadBytes;
    default:
      return overheadBytes;
  }
}

function transactionBytes({ compares, success, failure }: Transaction): number {
  let bytes = overheadBytes;
  for (const compare of compares) {
    const { from, to } = compare.keys;
    bytes += from.length + (to?.length ?? 0) + overheadBytes;
    if (compare.target === 'value') bytes += compare.operand.length;
  }
  return bytes + operationsBytes(success) + operationsBytes(failure);
}

function operationsBytes(operations: readonly TransactionOperation[]): number {
  let bytes = 0;
  for (const operation of operations) {
    if (operation.type === 'put') bytes += operation.key.length + operation.value.length + overheadBytes;
    else if (operation.type === 'transaction') bytes += transactionBytes(operation.transaction);
    else {
      const { from, to } = operation.type === 'delete' ? operation.keys : operation.selection;
      bytes += from.length + (to?.length ?? 0) + overheadBytes;
    }
  }
  return bytes;
}

/** What a command came to: it may be more than it said, as when a transaction keeps a value that is there. */
export function entryBytes({ operations }: Entry): number {
  let bytes = 0;
  for (const operation of operations) {
    bytes += overheadBytes;
    if (operation.type === 'put') bytes += operation.key.length + operation.value.length;
    else if (operation.type === 'delete') bytes += operation.key.length;
    else if (operation.type === 'deleteRange') bytes += operation.from.length + operation.to.length;
  }
  return bytes;
}

/** What a result holds, its message and its answer. */
export function resultBytes({ message, output }: CommandResult): number {
  return overheadBytes + message.length + outputBytes(output);
}

export function outputBytes(output: CommandOutput | undefined): number {
  if (output === undefined) return 0;
  if (output.type === 'transaction') return outcomeBytes(output);
  if (output.type !== 'leaseTimeToLive') return overheadBytes;
  let bytes = overheadBytes;
  for (const key of output.keys) bytes += key.length + overheadBytes;
  return bytes;
}

function outcomeBytes(outcome: OperationOutcome): number {
  switch (outcome.type) {
    case 'put':
      return overheadBytes + (outcome.previous === undefined ? 0 : recordBytes(outcome.previous));
    case 'delete':
      return overheadBytes + recordsBytes(outcome.previous);
    case 'range':
      return overheadBytes + recordsBytes(outcome.records);
    case 'transaction': {
      let bytes = overheadBytes;
      for (const inner of outcome.outcomes) bytes += outcomeBytes(inner);
      return bytes;
    }
  }
}

function recordsBytes(records: readonly KeyRecord[]): number {
  let bytes = 0;
  for (const record of records) bytes += recordBytes(record);
  return bytes;
}

function recordBytes({ key, value }: KeyRecord): number {
  return key.length + value.length + overheadBytes;
}
