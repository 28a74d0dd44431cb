// How much a command adds to a batch, before it is executed, and how much its answer holds: batches are cut by this, and a
// frame takes any such batch.

import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { Entry } from '../tree/delta.js';
import type { Transaction, TransactionOperation } from '../tree/transaction.js';
import { outputBytes } from '../wire/output-codec.js';

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
