// Copies of what a frame holds, so that a caller may keep them: a frame's own bytes belong to the connection.

import type { AccessAnswer, CommandOutput, KeyRecord, NativeEvent } from '../wire/native-messages.js';

type TransactionOutput = Extract<CommandOutput, { readonly type: 'transaction' }>;

export function copyRecord(record: KeyRecord): KeyRecord {
  return {
    key: record.key.slice(),
    value: record.value.slice(),
    createRevision: record.createRevision,
    modRevision: record.modRevision,
    version: record.version,
    lease: record.lease,
  };
}

export function copyEvent(event: NativeEvent): NativeEvent {
  return {
    type: event.type,
    key: event.key.slice(),
    modRevision: event.modRevision,
    record: event.record === undefined ? undefined : copyRecord(event.record),
  };
}

export function copyAccess({ enabled, accessRevision, names, permissions }: AccessAnswer): AccessAnswer {
  const copied = permissions.map(({ type, key, rangeEnd }) => ({ type, key: key.slice(), rangeEnd: rangeEnd.slice() }));
  return { enabled, accessRevision, names, permissions: copied };
}

export function copyOutput(output: CommandOutput): CommandOutput {
  if (output.type === 'leaseTimeToLive') return { ...output, keys: output.keys.map((key) => key.slice()) };
  return output.type === 'transaction' ? copyTransaction(output) : output;
}

function copyTransaction({ succeeded, outcomes }: TransactionOutput): TransactionOutput {
  return { type: 'transaction', succeeded, outcomes: outcomes.map(copyOutcome) };
}

function copyOutcome(outcome: TransactionOutput['outcomes'][number]): TransactionOutput['outcomes'][number] {
  switch (outcome.type) {
    case 'put':
      return { ...outcome, previous: outcome.previous === undefined ? undefined : copyRecord(outcome.previous) };
    case 'delete':
      return { ...outcome, previous: outcome.previous.map(copyRecord) };
    case 'range':
      return { ...outcome, records: outcome.records.map(copyRecord) };
    case 'transaction':
      return copyTransaction(outcome);
  }
}
