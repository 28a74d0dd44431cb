// Answers to Range, Put, DeleteRange and Txn as bytes, written by hand: every answer about a client's data is one of
// these. What an answer takes is known before it is written, so it is written once, and a large one in pieces.

import type { Bytes } from '../../../shared/bytes.js';
import type { KeyRecord } from '../../../tree/store.js';
import type { OperationOutcome, RangeOutcome, TransactionOutcome } from '../../../tree/transaction.js';
import { ProtoWriter, varintFieldSize } from '../../../wire/protobuf/proto-writer.js';
import { keyValueFieldSize, writeKeyValueField } from './key-value.js';
import { headerFieldSize, type ResponseHeader, writeHeaderField } from './response-header.js';

/** Where an answer begins to be built whose size is not computed. */
const firstCapacityBytes = 256;

/** What follows the records in a RangeResponse. */
interface RangeTail {
  readonly more: boolean;
  readonly count: number;
}

export function rangeTailSize({ more, count }: RangeTail): number {
  return (more ? 2 : 0) + varintFieldSize(count);
}

export function writeRangeTail(writer: ProtoWriter, { more, count }: RangeTail): void {
  writer.boolField(3, more);
  writer.varintField(4, count);
}

/** Of a record in a RangeResponse. */
export function rangeRecordSize(record: KeyRecord): number {
  return keyValueFieldSize(record);
}

export function writeRangeRecord(writer: ProtoWriter, record: KeyRecord): void {
  writeKeyValueField(writer, 2, record);
}

/**
 * For an answer of exactly this length. Its memory is a piece of Node's pool, as it is given to a socket or copied soon:
 * memory of its own costs more than all that is written.
 */
export function answerWriter(byteLength: number): ProtoWriter {
  return new ProtoWriter(Buffer.allocUnsafe(byteLength));
}

export function encodePutResponse(header: ResponseHeader, previous: KeyRecord | undefined): Bytes {
  const size = headerFieldSize(header) + (previous === undefined ? 0 : keyValueFieldSize(previous));
  const writer = answerWriter(size);
  writeHeaderField(writer, header);
  if (previous !== undefined) writeKeyValueField(writer, 2, previous);
  return writer.written();
}

export function encodeDeleteRangeResponse(
  header: ResponseHeader,
  outcome: { readonly deleted: number; readonly previous: readonly KeyRecord[] },
): Bytes {
  let size = headerFieldSize(header) + varintFieldSize(outcome.deleted);
  for (const record of outcome.previous) size += keyValueFieldSize(record);
  const writer = answerWriter(size);
  writeHeaderField(writer, header);
  writeDeletion(writer, outcome);
  return writer.written();
}

export function encodeTxnResponse(header: ResponseHeader, outcome: TransactionOutcome): Bytes {
  const writer = new ProtoWriter(firstCapacityBytes);
  writeHeaderField(writer, header);
  writer.boolField(2, outcome.succeeded);
  // The revision that the operations begin at is the one before that of the whole, if it changed anything.
  const revision = header.revision - (changesAnything(outcome) ? 1 : 0);
  new OutcomeWriter(writer, revision).outcomes(outcome.outcomes);
  return writer.written();
}

function changesAnything(outcome: OperationOutcome): boolean {
  switch (outcome.type) {
    case 'put':
      return true;
    case 'delete':
      return outcome.deleted > 0;
    case 'range':
      return false;
    case 'transaction':
      return outcome.outcomes.some(changesAnything);
  }
}

function writeDeletion(
  writer: ProtoWriter,
  { deleted, previous }: { readonly deleted: number; readonly previous: readonly KeyRecord[] },
): void {
  writer.varintField(2, deleted);
  for (const record of previous) writeKeyValueField(writer, 3, record);
}

/** Fields of ResponseOp. */
const opFields = { range: 1, put: 2, delete: 3, transaction: 4 } as const;

/**
 * The answers inside a TxnResponse. Each header names only the revision as that operation left it: one more from the
 * first change on. Those of nested transactions are empty.
 */
class OutcomeWriter {
  private readonly writer: ProtoWriter;
  private readonly before: number;
  private changed = false;

  constructor(writer: ProtoWriter, before: number) {
    this.writer = writer;
    this.before = before;
  }

  outcomes(outcomes: readonly OperationOutcome[]): void {
    for (const outcome of outcomes) this.outcome(outcome);
  }

  private outcome(outcome: OperationOutcome): void {
    const { writer } = this;
    const responseOp = writer.beginMessage(3);
    const response = writer.beginMessage(opFields[outcome.type]);
    switch (outcome.type) {
      case 'range':
        this.header();
        writeRange(writer, outcome);
        break;
      case 'put':
        this.changed = true;
        this.header();
        if (outcome.previous !== undefined) writeKeyValueField(writer, 2, outcome.previous);
        break;
      case 'delete':
        this.changed ||= outcome.deleted > 0;
        this.header();
        writeDeletion(writer, outcome);
        break;
      case 'transaction':
        writer.messageHeader(1, 0);
        writer.boolField(2, outcome.succeeded);
        this.outcomes(outcome.outcomes);
        break;
    }
    writer.endMessage(response);
    writer.endMessage(responseOp);
  }

  private header(): void {
    const revision = this.changed ? this.before + 1 : this.before;
    this.writer.messageHeader(1, varintFieldSize(revision));
    this.writer.varintField(3, revision);
  }
}

function writeRange(writer: ProtoWriter, outcome: RangeOutcome): void {
  for (const record of outcome.records) writeRangeRecord(writer, record);
  writeRangeTail(writer, outcome);
}
