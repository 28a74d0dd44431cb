// Transactions as callers of the client library write them, as the command that carries one out, and what that answers.
// Knows no connection.

import { emptyBytes } from '../shared/bytes.js';
import { StoreError } from '../shared/errors.js';
import type { Revision, Zxid } from '../shared/ids.js';
import type { CommandOutput, Compare, RangeSelection, Transaction, TransactionStep } from '../wire/native-messages.js';
import { type BytesLike, bytesOf, type RangeOptions, revisionOf, selectionOf } from './key-range.js';
import type { CommandAnswer } from './lease-requests.js';
import type { Command } from './pending-request.js';

export type ConditionRelation = '=' | '!=' | '>' | '<';

/** What of a key is compared; a key that is absent has version, revisions and lease 0, and no value that fits. */
export type ConditionOperand =
  | { readonly version: number }
  | { readonly createRevision: number }
  | { readonly modRevision: number }
  | { readonly lease: bigint }
  | { readonly value: BytesLike };

/** Holds when it does for every key of the range; judged on the state before the transaction. */
export type Condition = RangeOptions & { readonly relation: ConditionRelation } & ConditionOperand;

export interface PutOperation {
  readonly type: 'put';
  readonly key: BytesLike;
  /** Left out with `keepValue`. */
  readonly value?: BytesLike;
  /** Default: none, and the key is taken away from the lease that held it. */
  readonly lease?: bigint;
  /** Keeps what the key has; fails with KEY_NOT_FOUND when there is no such key. */
  readonly keepValue?: boolean;
  readonly keepLease?: boolean;
  /** Answers the record that it replaces. */
  readonly previous?: boolean;
}

export interface DeleteOperation extends RangeOptions {
  readonly type: 'delete';
  /** Answers the records that it deletes. */
  readonly previous?: boolean;
}

export interface GetOperation extends RangeOptions {
  readonly type: 'get';
  /** Most records; default: no bound of its own. */
  readonly limit?: number;
  /** As it was then; default: as the operations before it left it. */
  readonly revision?: number;
  readonly sortBy?: 'key' | 'version' | 'createRevision' | 'modRevision' | 'value';
  readonly descending?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface NestedOperation extends TransactionRequest {
  readonly type: 'transaction';
}

export type Operation = PutOperation | DeleteOperation | GetOperation | NestedOperation;

/** When all conditions hold `success` is carried out, else `failure`: in order, at one revision. */
export interface TransactionRequest {
  readonly conditions?: readonly Condition[];
  readonly success?: readonly Operation[];
  readonly failure?: readonly Operation[];
}

type TransactionOutcome = Extract<CommandOutput, { readonly type: 'transaction' }>;
/** What one operation answers. `range` is that of a get. */
export type OperationOutcome = TransactionOutcome['outcomes'][number];

export interface TransactionResult {
  /** All conditions held. */
  readonly succeeded: boolean;
  /** One for each operation of the arm that was taken. */
  readonly outcomes: readonly OperationOutcome[];
  readonly revision: Revision;
  readonly zxid: Zxid;
}

const relations = { '=': 'equal', '!=': 'notEqual', '>': 'greater', '<': 'less' } as const;
const sortTargets = {
  key: 'key',
  version: 'version',
  createRevision: 'create',
  modRevision: 'mod',
  value: 'value',
} as const;

export function transactionOf({ conditions = [], success = [], failure = [] }: TransactionRequest): Transaction {
  return { compares: conditions.map(compareOf), success: success.map(stepOf), failure: failure.map(stepOf) };
}

/** Of a transaction that only reads, when its answer is lost. */
const attemptsMax = 5;

/**
 * `ask` has the command carried out once. A repetition after a lost connection is told that it was, but not what came of
 * it: then one that changes nothing is asked anew, of any other it is not known which arm was taken.
 */
export async function carryOut(
  transaction: Transaction,
  ask: (command: Command) => Promise<CommandAnswer>,
): Promise<TransactionResult> {
  for (let asked = 0; asked < attemptsMax; asked++) {
    const { output, revision, zxid } = await ask({ type: 'transact', transaction });
    if (output?.type === 'transaction')
      return { succeeded: output.succeeded, outcomes: output.outcomes, revision, zxid };
    if (output !== undefined) throw new StoreError('INTERNAL', 'The server answered a transaction with something else');
    if (mayChange(transaction)) {
      const told = `The transaction was carried out once, by revision ${revision}`;
      throw new StoreError('OUTCOME_UNKNOWN', `${told}; what it answered was lost with a connection`);
    }
  }
  throw new StoreError('OUTCOME_UNKNOWN', 'What the transaction answered was lost with a connection, again and again');
}

/** False: asked again, it does nothing that it has not done before. */
function mayChange({ success, failure }: Transaction): boolean {
  return [...success, ...failure].some(
    (step) =>
      step.type === 'put' || step.type === 'delete' || (step.type === 'transaction' && mayChange(step.transaction)),
  );
}

function compareOf(condition: Condition): Compare {
  const at = { keys: selectionOf(condition), relation: relations[condition.relation] };
  if ('version' in condition) return { ...at, target: 'version', operand: numberOf(condition.version) };
  if ('createRevision' in condition) return { ...at, target: 'create', operand: numberOf(condition.createRevision) };
  if ('modRevision' in condition) return { ...at, target: 'mod', operand: numberOf(condition.modRevision) };
  if ('lease' in condition) return { ...at, target: 'lease', operand: condition.lease };
  return { ...at, target: 'value', operand: bytesOf(condition.value) };
}

function numberOf(operand: number): number {
  if (Number.isSafeInteger(operand)) return operand;
  throw new StoreError('INVALID_ARGUMENT', `Cannot compare with ${operand}: expected an integer`);
}

function stepOf(operation: Operation): TransactionStep {
  switch (operation.type) {
    case 'put':
      return {
        type: 'put',
        key: bytesOf(operation.key),
        value: operation.value === undefined ? emptyBytes : bytesOf(operation.value),
        lease: operation.lease ?? 0n,
        ignoreValue: operation.keepValue ?? false,
        ignoreLease: operation.keepLease ?? false,
        wantsPrevious: operation.previous ?? false,
      };
    case 'delete':
      return {
        type: 'delete',
        keys: selectionOf(operation),
        wantsPrevious: operation.previous ?? false,
      };
    case 'get':
      return { type: 'range', selection: rangeSelectionOf(operation) };
    case 'transaction':
      return { type: 'transaction', transaction: transactionOf(operation) };
  }
}

function rangeSelectionOf(get: GetOperation): RangeSelection {
  return {
    ...selectionOf(get),
    at: get.revision === undefined ? undefined : revisionOf(get.revision),
    limit: get.limit ?? 0,
    sortTarget: sortTargets[get.sortBy ?? 'key'],
    descending: get.descending ?? false,
    keysOnly: get.keysOnly ?? false,
    countOnly: get.countOnly ?? false,
    minModRevision: undefined,
    maxModRevision: undefined,
    minCreateRevision: undefined,
    maxCreateRevision: undefined,
  };
}
