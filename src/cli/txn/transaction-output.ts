// What a transaction answered: as etcdctl prints it, and as JSON.

import type { OperationOutcome, TransactionResult } from '../../client/transaction.js';
import type { KeyRecord } from '../../wire/native-messages.js';
import { jsonRecord, shown } from '../output.js';

const newline = Buffer.from('\n');

export function transactionText({ succeeded, outcomes }: TransactionResult): Uint8Array {
  const pieces: Uint8Array[] = [line(succeeded ? 'SUCCESS' : 'FAILURE')];
  for (const outcome of outcomes) pieces.push(newline, ...outcomeLines(outcome));
  return Buffer.concat(pieces);
}

function outcomeLines(outcome: OperationOutcome): readonly Uint8Array[] {
  switch (outcome.type) {
    case 'put':
      return [line('OK'), ...(outcome.previous === undefined ? [] : recordLines(outcome.previous))];
    case 'delete':
      return [line(String(outcome.deleted)), ...outcome.previous.flatMap(recordLines)];
    case 'range':
      return outcome.records.flatMap(recordLines);
    case 'transaction':
      return outcome.outcomes.flatMap(outcomeLines);
  }
}

function recordLines({ key, value }: KeyRecord): readonly Uint8Array[] {
  return [line(shown(key)), line(shown(value))];
}

function line(data: string | Uint8Array): Uint8Array {
  return Buffer.concat([typeof data === 'string' ? Buffer.from(data) : data, newline]);
}

export function transactionJson({ succeeded, outcomes, revision, zxid }: TransactionResult): unknown {
  return { succeeded, responses: outcomes.map(outcomeJson), revision, zxid };
}

function outcomeJson(outcome: OperationOutcome): unknown {
  switch (outcome.type) {
    case 'put':
      return { type: 'put', ...(outcome.previous === undefined ? {} : { previous: recordJson(outcome.previous) }) };
    case 'delete':
      return { type: 'delete', deleted: outcome.deleted, previous: outcome.previous.map(recordJson) };
    case 'range':
      return {
        type: 'get',
        records: outcome.records.map(recordJson),
        count: outcome.count,
        more: outcome.more,
      };
    case 'transaction':
      return {
        type: 'transaction',
        succeeded: outcome.succeeded,
        responses: outcome.outcomes.map(outcomeJson),
      };
  }
}

function recordJson(record: KeyRecord): unknown {
  return jsonRecord(record, true);
}
