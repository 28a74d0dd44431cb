// A transaction line by line, as etcdctl takes it: comparisons, what is done when all hold, what is done otherwise, an
// empty line behind each of the three. Input that ends before the last of them is no transaction.

import type { TransactionRequest } from '../../client/transaction.js';
import { StoreError } from '../../shared/errors.js';
import { conditionOf, operationOf } from './transaction-grammar.js';

export interface TransactionInput {
  /** The next line; undefined: there is no more. `prompt`: what is asked for, empty within a part. May reject: the line is left out. */
  line(prompt: string): Promise<string | undefined>;
  /** A line could not be taken. When this returns, reading goes on behind it. */
  mistaken(error: unknown): void;
}

const parts = {
  conditions: 'compares',
  success: 'success requests (get, put, del)',
  failure: 'failure requests (get, put, del)',
} as const;

export async function readTransaction(input: TransactionInput): Promise<TransactionRequest> {
  return {
    conditions: await readPart(input, parts.conditions, conditionOf),
    success: await readPart(input, parts.success, operationOf),
    failure: await readPart(input, parts.failure, operationOf),
  };
}

async function readPart<T>(input: TransactionInput, name: string, parse: (line: string) => T): Promise<T[]> {
  const read: T[] = [];
  let prompt = `${name}:`;
  for (;;) {
    let line: string | undefined;
    try {
      line = await input.line(prompt);
      prompt = '';
      if (line?.trim() === '') return read;
      if (line !== undefined) read.push(parse(line.trim()));
    } catch (error) {
      input.mistaken(error);
      continue;
    }
    if (line === undefined) {
      const reason = `the input ended before the empty line behind the ${name}`;
      throw new StoreError('INVALID_ARGUMENT', `Cannot read the transaction: ${reason}`);
    }
  }
}
