// What commands answer beside their result ↔ protobuf (zabtree.command.CommandOutput). Unknown fields are passed over; an
// output of a kind that is not known here reads as none. Decoded bytes share the input's memory.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { CommandOutput } from '../tree/command.js';
import type { KeyRecord } from '../tree/store.js';
import type { OperationOutcome, RangeOutcome, TransactionOutcome } from '../tree/transaction.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import { bytesFieldSize, type ProtoWriter, varintFieldSize } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { transactionDepthMax } from './transaction-codec.js';

/** What most writes through etcd's API answer, as an output and as the bytes of one. */
const putDone: TransactionOutcome = {
  type: 'transaction',
  succeeded: true,
  outcomes: [{ type: 'put', previous: undefined }],
};
const putDoneBytes: Bytes = Uint8Array.of(0x0a, 6, 0x08, 1, 0x12, 2, 0x0a, 0);

/** What a record and an outcome take beside keys and values, at most. */
const envelopeBytes = 64;

/** How much it holds, and not less than it takes as bytes. */
export function outputBytes(output: CommandOutput | undefined): number {
  if (output === undefined) return 0;
  if (output.type === 'transaction') return outcomeBytes(output);
  const keys = output.type === 'leaseTimeToLive' ? output.keys : [];
  return keys.reduce((sum, key) => sum + key.length + envelopeBytes, envelopeBytes);
}

function outcomeBytes(outcome: OperationOutcome): number {
  switch (outcome.type) {
    case 'put':
      return envelopeBytes + (outcome.previous === undefined ? 0 : recordBytes(outcome.previous));
    case 'delete':
      return outcome.previous.reduce((sum, record) => sum + recordBytes(record), envelopeBytes);
    case 'range':
      return outcome.records.reduce((sum, record) => sum + recordBytes(record), envelopeBytes);
    case 'transaction':
      return outcome.outcomes.reduce((sum, inner) => sum + outcomeBytes(inner), envelopeBytes);
  }
}

function recordBytes({ key, value }: KeyRecord): number {
  return key.length + value.length + envelopeBytes;
}

function isPutDone({ succeeded, outcomes }: TransactionOutcome): boolean {
  const first = outcomes[0];
  return succeeded && outcomes.length === 1 && first?.type === 'put' && first.previous === undefined;
}

/** Writes the fields of zabtree.command.CommandOutput. */
export function writeOutput(writer: ProtoWriter, output: CommandOutput): void {
  switch (output.type) {
    case 'transaction': {
      if (isPutDone(output)) {
        writer.raw(putDoneBytes);
        return;
      }
      const mark = writer.beginMessage(1);
      writeOutcomes(writer, output);
      writer.endMessage(mark);
      return;
    }
    case 'leaseGrant':
    case 'leaseKeepAlive': {
      const mark = writer.beginMessage(output.type === 'leaseGrant' ? 2 : 3);
      writer.sfixed64Field(1, output.id);
      writer.zigzagField(2, output.ttlSeconds);
      writer.endMessage(mark);
      return;
    }
    case 'leaseTimeToLive': {
      const mark = writer.beginMessage(4);
      writer.sfixed64Field(1, output.id);
      writer.zigzagField(2, output.ttlSeconds);
      writer.zigzagField(3, output.grantedSeconds);
      for (const key of output.keys) writer.presentBytesField(4, key);
      writer.endMessage(mark);
      return;
    }
  }
}

function writeOutcomes(writer: ProtoWriter, { succeeded, outcomes }: TransactionOutcome): void {
  writer.boolField(1, succeeded);
  for (const outcome of outcomes) {
    const mark = writer.beginMessage(2);
    writeOutcome(writer, outcome);
    writer.endMessage(mark);
  }
}

function writeOutcome(writer: ProtoWriter, outcome: OperationOutcome): void {
  switch (outcome.type) {
    case 'put': {
      const mark = writer.beginMessage(1);
      if (outcome.previous !== undefined) writeRecord(writer, 1, outcome.previous);
      writer.endMessage(mark);
      return;
    }
    case 'delete': {
      const mark = writer.beginMessage(2);
      writer.varintField(1, outcome.deleted);
      for (const record of outcome.previous) writeRecord(writer, 2, record);
      writer.endMessage(mark);
      return;
    }
    case 'range': {
      const mark = writer.beginMessage(3);
      for (const record of outcome.records) writeRecord(writer, 1, record);
      writer.varintField(2, outcome.count);
      writer.boolField(3, outcome.more);
      writer.endMessage(mark);
      return;
    }
    case 'transaction': {
      const mark = writer.beginMessage(4);
      writeOutcomes(writer, outcome);
      writer.endMessage(mark);
    }
  }
}

function writeRecord(writer: ProtoWriter, field: number, record: KeyRecord): void {
  const { key, value, createRevision, modRevision, version, lease } = record;
  writer.messageHeader(
    field,
    bytesFieldSize(key.length) +
      bytesFieldSize(value.length) +
      varintFieldSize(createRevision) +
      varintFieldSize(modRevision) +
      varintFieldSize(version) +
      (lease === 0n ? 0 : 9),
  );
  writer.bytesField(1, key);
  writer.bytesField(2, value);
  writer.varintField(3, createRevision);
  writer.varintField(4, modRevision);
  writer.varintField(5, version);
  writer.sfixed64Field(6, lease);
}

/** Reads up to the end of the reader's current message; undefined: a kind that is not known here. */
export function readOutput(reader: ProtoReader): CommandOutput | undefined {
  if (reader.holds(putDoneBytes)) return putDone;
  let output: CommandOutput | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field < 1 || field > 4) {
      reader.skip();
      continue;
    }
    const outer = reader.enterMessage();
    if (field === 1) output = readOutcomes(reader, 1);
    else
      output = readLeaseOutput(reader, field === 2 ? 'leaseGrant' : field === 3 ? 'leaseKeepAlive' : 'leaseTimeToLive');
    reader.leaveMessage(outer);
  }
  return output;
}

function readLeaseOutput(
  reader: ProtoReader,
  type: 'leaseGrant' | 'leaseKeepAlive' | 'leaseTimeToLive',
): CommandOutput {
  let id = 0n;
  let ttlSeconds = 0;
  let grantedSeconds = 0;
  const keys: Bytes[] = [];
  const inTime = type === 'leaseTimeToLive';
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) id = reader.sfixed64();
    else if (field === 2) ttlSeconds = reader.zigzag();
    else if (field === 3 && inTime) grantedSeconds = reader.zigzag();
    else if (field === 4 && inTime) keys.push(reader.bytesView());
    else reader.skip();
  }
  return type === 'leaseTimeToLive' ? { type, id, ttlSeconds, grantedSeconds, keys } : { type, id, ttlSeconds };
}

function readOutcomes(reader: ProtoReader, depth: number): TransactionOutcome {
  if (depth > transactionDepthMax) {
    throw new WireError(`Cannot decode the outcome of a transaction: it nests deeper than ${transactionDepthMax}`);
  }
  let succeeded = false;
  const outcomes: OperationOutcome[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) succeeded = reader.bool();
    else if (field === 2) {
      const outer = reader.enterMessage();
      outcomes.push(readOutcome(reader, depth));
      reader.leaveMessage(outer);
    } else reader.skip();
  }
  return { type: 'transaction', succeeded, outcomes };
}

function readOutcome(reader: ProtoReader, depth: number): OperationOutcome {
  const type = reader.nextField();
  if (type === 0) throw new WireError('Cannot decode the outcome of an operation: it is empty');
  const outer = reader.enterMessage();
  const outcome = readOutcomeBody(reader, type, depth);
  reader.leaveMessage(outer);
  if (reader.nextField() !== 0) throw new WireError('Cannot decode the outcome of an operation: more than one');
  return outcome;
}

function readOutcomeBody(reader: ProtoReader, type: number, depth: number): OperationOutcome {
  switch (type) {
    case 1:
      return readPutOutcome(reader);
    case 2:
      return readDeleteOutcome(reader);
    case 3:
      return readRangeOutcome(reader);
    case 4:
      return readOutcomes(reader, depth + 1);
    default:
      throw new WireError(`Cannot decode the outcome of an operation: type ${type} is not known here`);
  }
}

function readPutOutcome(reader: ProtoReader): OperationOutcome {
  let previous: KeyRecord | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) previous = readRecord(reader);
    else reader.skip();
  }
  return { type: 'put', previous };
}

function readDeleteOutcome(reader: ProtoReader): OperationOutcome {
  let deleted = 0;
  const previous: KeyRecord[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) deleted = reader.varint();
    else if (field === 2) previous.push(readRecord(reader));
    else reader.skip();
  }
  return { type: 'delete', deleted, previous };
}

function readRangeOutcome(reader: ProtoReader): RangeOutcome {
  const records: KeyRecord[] = [];
  let count = 0;
  let more = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) records.push(readRecord(reader));
    else if (field === 2) count = reader.varint();
    else if (field === 3) more = reader.bool();
    else reader.skip();
  }
  return { type: 'range', records, count, more };
}

function readRecord(reader: ProtoReader): KeyRecord {
  const outer = reader.enterMessage();
  let key = emptyBytes;
  let value = emptyBytes;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let lease = 0n;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) value = reader.bytesView();
    else if (field === 3) createRevision = reader.varint();
    else if (field === 4) modRevision = reader.varint();
    else if (field === 5) version = reader.varint();
    else if (field === 6) lease = reader.sfixed64();
    else reader.skip();
  }
  reader.leaveMessage(outer);
  return {
    key,
    value,
    createRevision: createRevision as Revision,
    modRevision: modRevision as Revision,
    version,
    lease,
  };
}
