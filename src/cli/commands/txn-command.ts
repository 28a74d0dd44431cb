// `zabtree txn`: reads a transaction from standard input, has it carried out, prints what it answered.

import type { TransactionRequest } from '../../client/transaction.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { errorText } from '../exit-codes.js';
import { note, write, writeJson } from '../output.js';
import { LineReader } from '../repl/line-reader.js';
import { transactionJson, transactionText } from '../txn/transaction-output.js';
import { readTransaction, type TransactionInput } from '../txn/transaction-reader.js';

export interface TxnFlags extends ConnectionFlags, OutputFlags {
  readonly interactive?: boolean;
}

export async function runTxn(flags: TxnFlags): Promise<void> {
  const request = await readFromStandardInput(flags.interactive === true || process.stdin.isTTY);
  const result = await withClient(flags, (client) => client.transact(request));
  if (flags.output === 'json') await writeJson(transactionJson(result));
  else await write(transactionText(result));
}

/** With prompts a person types: a line that cannot be taken is said to be so, and may be typed again. */
async function readFromStandardInput(prompts: boolean): Promise<TransactionRequest> {
  const reader: LineReader = new LineReader({
    input: process.stdin,
    output: process.stderr,
    complete: () => [],
    onInterrupt: () => reader.close(),
  });
  const input: TransactionInput = {
    line: (prompt) => reader.ask(prompts ? prompt : ''),
    mistaken: (error) => {
      if (!process.stdin.isTTY) throw error;
      note(errorText(error));
    },
  };
  try {
    return await readTransaction(input);
  } finally {
    reader.close();
  }
}
