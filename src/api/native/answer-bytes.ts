// How many bytes the answer to a request may come to, for those requests whose answer is there before anybody can ask
// whether there is room for it. Reads, lists and watches ask first: they are not among them. Looks at no state.

import type { Limits } from '../../config/limits.js';
import type { Command } from '../../tree/command.js';
import type { KeySelection, RangeSelection, Transaction, TransactionOperation } from '../../tree/transaction.js';

/** What a record or a key costs beside its bytes. */
const recordOverheadBytes = 64;

/** 0: next to nothing. */
export function answerBytesMax(command: Command, limits: Limits): number {
  if (command.type === 'transact') return transactionBytes(command.transaction, limits);
  if (command.type !== 'leaseTimeToLive' || !command.wantsKeys) return 0;
  return limits.leaseRevokeBytesMax + limits.leaseRevokeKeysMax * recordOverheadBytes;
}

function transactionBytes({ success, failure }: Transaction, limits: Limits): number {
  return Math.min(limits.transactionAnswerBytesMax, Math.max(armBytes(success, limits), armBytes(failure, limits)));
}

function armBytes(operations: readonly TransactionOperation[], limits: Limits): number {
  let bytes = 0;
  for (const operation of operations) bytes += operationBytes(operation, limits);
  return bytes;
}

function operationBytes(operation: TransactionOperation, limits: Limits): number {
  switch (operation.type) {
    case 'put':
      return operation.wantsPrevious ? recordBytes(limits) : 0;
    case 'delete':
      return operation.wantsPrevious ? recordsOf(operation.keys, limits) * recordBytes(limits) : 0;
    case 'range':
      return rangeBytes(operation.selection, limits);
    case 'transaction':
      return transactionBytes(operation.transaction, limits);
  }
}

function rangeBytes(selection: RangeSelection, limits: Limits): number {
  if (selection.countOnly) return 0;
  const records = recordsOf(selection, limits);
  const wanted = selection.limit > 0 ? Math.min(records, selection.limit) : records;
  return wanted * (selection.keysOnly ? limits.keyBytesMax + recordOverheadBytes : recordBytes(limits));
}

function recordsOf({ single }: KeySelection, { transactionKeysMax }: Limits): number {
  return single ? 1 : transactionKeysMax;
}

function recordBytes({ keyBytesMax, valueBytesMax }: Limits): number {
  return keyBytesMax + valueBytesMax + recordOverheadBytes;
}
