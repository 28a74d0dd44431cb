// A transaction that stops in the middle.

import { type Bytes, equalBytes } from '../../../src/shared/bytes.js';
import { type Operation, spaces } from '../../../src/tree/delta.js';
import { keyOfLeased } from '../../../src/tree/lease-records.js';
import { type Mutation, replace } from '../mutation.js';

type KeyOperation = Extract<Operation, { readonly type: 'put' | 'delete' }>;

function isOfUser(operation: Operation): operation is KeyOperation {
  return (operation.type === 'put' || operation.type === 'delete') && operation.space === spaces.user;
}

/** It changes this key of a user, or says which lease holds it. */
function isAbout(operation: Operation, key: Bytes | undefined): boolean {
  if (key === undefined || (operation.type !== 'put' && operation.type !== 'delete')) return false;
  if (operation.space === spaces.user) return equalBytes(operation.key, key);
  return operation.space === spaces.leaseKeys && equalBytes(keyOfLeased(operation.key), key);
}

export const transactionHalfDone: Mutation = {
  id: 'transaction-half-done',
  source: 'zabtree',
  broken: 'A transaction with several changes leaves out the last of them and is answered as if it were whole.',
  leaves: [
    replace<typeof import('../../../src/tree/execute-transaction.js')>(
      'tree/execute-transaction',
      ({ executeTransaction }) => ({
        executeTransaction: (...given) => {
          const outcome = executeTransaction(...given);
          if (outcome.type !== 'effect') return outcome;
          const changed = outcome.operations.filter(isOfUser);
          const last = changed.length > 1 ? changed.at(-1)?.key : undefined;
          return { ...outcome, operations: outcome.operations.filter((operation) => !isAbout(operation, last)) };
        },
      }),
    ),
  ],
  nodes: 3,
  seconds: 2,
  faults: [],
  noticedBy: ['a transaction happens whole or not at all', 'a transaction answers what it saw'],
};
