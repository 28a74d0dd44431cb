// `txn` in the interactive client: asks for the parts of a transaction, has it carried out, prints what it answered.

import type { TransactionRequest } from '../../client/transaction.js';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import { errorText } from '../exit-codes.js';
import { transactionText } from '../txn/transaction-output.js';
import { readTransaction } from '../txn/transaction-reader.js';
import type { LineReader } from './line-reader.js';

export async function runReplTransaction(client: ZabtreeClient, reader: LineReader): Promise<void> {
  process.stdout.write(transactionText(await client.transact(await readWhole(reader))));
}

/**
 * At a terminal a line that cannot be taken may be typed again. From a pipe the whole transaction is read, so that no part
 * of it is taken for a command, and then it is refused.
 */
async function readWhole(reader: LineReader): Promise<TransactionRequest> {
  const mistakes: unknown[] = [];
  const request = await readTransaction({
    line: (prompt) => reader.ask(prompt),
    mistaken: (error) => {
      if (reader.isTerminal) process.stdout.write(`Error : ${errorText(error)}\n`);
      else mistakes.push(error);
    },
  });
  if (mistakes.length > 0) throw mistakes[0];
  return request;
}
