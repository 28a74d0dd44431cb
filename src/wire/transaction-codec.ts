// Transactions ↔ protobuf (zabtree.command.Transaction and what is in it). Unknown fields are refused: a condition that is
// not understood must not be ignored. Nesting and the count of operations are bounded before anything is made of them.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type {
  Compare,
  CompareRelation,
  KeySelection,
  RangeSelection,
  SortTarget,
  Transaction,
  TransactionOperation,
} from '../tree/transaction.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

/** Deeper and larger than any transaction that the service lets pass. */
export const transactionDepthMax = 32;
const operationsMax = 16_384;

const relations: readonly CompareRelation[] = ['equal', 'notEqual', 'greater', 'less'];
const sortTargets: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
/** Field numbers of the operand of a comparison. */
const operandFields = { version: 3, create: 4, mod: 5, lease: 6, value: 7 } as const;
/** Guess of what an operation takes beside its key and value. */
const overheadBytes = 16;

export function writeTransaction(writer: ProtoWriter, transaction: Transaction): void {
  for (const compare of transaction.compares) writeCompare(writer, compare);
  for (const operation of transaction.success) writeOperation(writer, 2, operation);
  for (const operation of transaction.failure) writeOperation(writer, 3, operation);
}

/** About the bytes of a transaction that puts, so that its length prefixes need not be moved. */
export function transactionSizeHint({ success }: Transaction): number {
  let bytes = 0;
  for (const operation of success) bytes += operationSizeHint(operation);
  return bytes;
}

function operationSizeHint(operation: TransactionOperation): number {
  return operation.type === 'put' ? operation.key.length + operation.value.length + overheadBytes : overheadBytes;
}

function writeSelection(writer: ProtoWriter, { from, to, single }: KeySelection): void {
  const mark = writer.beginMessage(1);
  writer.bytesField(1, from);
  if (to !== undefined) writer.presentBytesField(2, to);
  writer.boolField(3, single);
  writer.endMessage(mark);
}

function writeCompare(writer: ProtoWriter, compare: Compare): void {
  const mark = writer.beginMessage(1);
  writeSelection(writer, compare.keys);
  writer.varintField(2, relations.indexOf(compare.relation));
  const field = operandFields[compare.target];
  switch (compare.target) {
    case 'value':
      writer.presentBytesField(field, compare.operand);
      break;
    case 'lease':
      writer.presentSfixed64Field(field, compare.operand);
      break;
    default:
      writer.presentVarintField(field, Math.abs(compare.operand));
      writer.boolField(8, compare.operand < 0);
  }
  writer.endMessage(mark);
}

function writeOperation(writer: ProtoWriter, field: number, operation: TransactionOperation): void {
  const hint = operationSizeHint(operation);
  const mark = writer.beginMessage(field, hint + 4);
  switch (operation.type) {
    case 'put': {
      const inner = writer.beginMessage(1, hint);
      writer.bytesField(1, operation.key);
      writer.bytesField(2, operation.value);
      writer.sfixed64Field(3, operation.lease);
      writer.boolField(4, operation.ignoreValue);
      writer.boolField(5, operation.ignoreLease);
      writer.boolField(6, operation.wantsPrevious);
      writer.endMessage(inner);
      break;
    }
    case 'delete': {
      const inner = writer.beginMessage(2);
      writeSelection(writer, operation.keys);
      writer.boolField(2, operation.wantsPrevious);
      writer.endMessage(inner);
      break;
    }
    case 'range': {
      const inner = writer.beginMessage(3);
      writeRange(writer, operation.selection);
      writer.endMessage(inner);
      break;
    }
    case 'transaction': {
      const inner = writer.beginMessage(4, transactionSizeHint(operation.transaction));
      writeTransaction(writer, operation.transaction);
      writer.endMessage(inner);
    }
  }
  writer.endMessage(mark);
}

function writeRange(writer: ProtoWriter, selection: RangeSelection): void {
  writeSelection(writer, selection);
  writeOptional(writer, 2, selection.at);
  writer.varintField(3, selection.limit);
  writer.varintField(4, sortTargets.indexOf(selection.sortTarget));
  writer.boolField(5, selection.descending);
  writer.boolField(6, selection.keysOnly);
  writer.boolField(7, selection.countOnly);
  writeOptional(writer, 8, selection.minModRevision);
  writeOptional(writer, 9, selection.maxModRevision);
  writeOptional(writer, 10, selection.minCreateRevision);
  writeOptional(writer, 11, selection.maxCreateRevision);
}

function writeOptional(writer: ProtoWriter, field: number, value: Revision | undefined): void {
  if (value !== undefined) writer.presentVarintField(field, value);
}

/** Reads up to the end of the reader's current message. */
export function readTransaction(reader: ProtoReader): Transaction {
  return new TransactionReader(reader).transaction(1);
}

/** One transaction with all that is nested in it. */
class TransactionReader {
  private readonly reader: ProtoReader;
  private operations = 0;

  constructor(reader: ProtoReader) {
    this.reader = reader;
  }

  transaction(depth: number): Transaction {
    if (depth > transactionDepthMax) {
      throw new WireError(`Cannot decode a transaction: it nests deeper than ${transactionDepthMax}`);
    }
    const { reader } = this;
    let compares: Compare[] = [];
    let success: TransactionOperation[] = [];
    let failure: TransactionOperation[] = [];
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      this.count();
      const outer = reader.enterMessage();
      if (field === 1) compares = added(compares, readCompare(reader));
      else if (field === 2) success = added(success, this.operation(depth));
      else if (field === 3) failure = added(failure, this.operation(depth));
      else throw unknownField('a transaction', field);
      reader.leaveMessage(outer);
    }
    return { compares, success, failure };
  }

  private count(): void {
    if (++this.operations > operationsMax) {
      throw new WireError(`Cannot decode a transaction: more than ${operationsMax} operations`);
    }
  }

  private operation(depth: number): TransactionOperation {
    const { reader } = this;
    const type = reader.nextField();
    if (type === 0) throw new WireError('Cannot decode an operation of a transaction: it is empty');
    const outer = reader.enterMessage();
    const operation = this.operationBody(type, depth);
    reader.leaveMessage(outer);
    if (reader.nextField() !== 0) throw new WireError('Cannot decode an operation of a transaction: more than one');
    return operation;
  }

  private operationBody(type: number, depth: number): TransactionOperation {
    switch (type) {
      case 1:
        return readPut(this.reader);
      case 2:
        return readDelete(this.reader);
      case 3:
        return { type: 'range', selection: readRange(this.reader) };
      case 4:
        return { type: 'transaction', transaction: this.transaction(depth + 1) };
      default:
        throw new WireError(`Cannot decode an operation of a transaction: type ${type} is not known here`);
    }
  }
}

/** The list with one more: of one element, as most are, without the room that a list takes to grow. */
function added<Item>(list: Item[], item: Item): Item[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}

function unknownField(what: string, field: number): WireError {
  return new WireError(`Cannot decode ${what}: unknown field ${field}`);
}

function readSelection(reader: ProtoReader): KeySelection {
  const outer = reader.enterMessage();
  let from = emptyBytes;
  let to: Bytes | undefined;
  let single = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) from = reader.bytesView();
    else if (field === 2) to = reader.bytesView();
    else if (field === 3) single = reader.bool();
    else throw unknownField('a selection of keys', field);
  }
  reader.leaveMessage(outer);
  return { from, to, single };
}

function named<Name>(names: readonly Name[], number: number, what: string): Name {
  const name = names[number];
  if (name === undefined) throw new WireError(`Cannot decode ${what}: ${number} is not known here`);
  return name;
}

type Operand =
  | { readonly target: 'version' | 'create' | 'mod'; readonly operand: number }
  | { readonly target: 'lease'; readonly operand: bigint }
  | { readonly target: 'value'; readonly operand: Bytes };

function readCompare(reader: ProtoReader): Compare {
  let keys: KeySelection | undefined;
  let relation: CompareRelation = 'equal';
  let operand: Operand | undefined;
  let negative = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    switch (field) {
      case 1:
        keys = readSelection(reader);
        break;
      case 2:
        relation = named(relations, reader.varint(), 'a relation');
        break;
      case operandFields.version:
        operand = { target: 'version', operand: reader.varint() };
        break;
      case operandFields.create:
        operand = { target: 'create', operand: reader.varint() };
        break;
      case operandFields.mod:
        operand = { target: 'mod', operand: reader.varint() };
        break;
      case operandFields.lease:
        operand = { target: 'lease', operand: reader.sfixed64() };
        break;
      case operandFields.value:
        operand = { target: 'value', operand: reader.bytesView() };
        break;
      case 8:
        negative = reader.bool();
        break;
      default:
        throw unknownField('a comparison', field);
    }
  }
  if (keys === undefined || operand === undefined) {
    throw new WireError('Cannot decode a comparison: its keys or its operand are missing');
  }
  if (!negative) return { keys, relation, ...operand };
  if (operand.target === 'lease' || operand.target === 'value' || operand.operand === 0) {
    throw new WireError('Cannot decode a comparison: only numbers other than 0 are negative');
  }
  return { keys, relation, target: operand.target, operand: -operand.operand };
}

function readPut(reader: ProtoReader): TransactionOperation {
  let key = emptyBytes;
  let value = emptyBytes;
  let lease = 0n;
  let ignoreValue = false;
  let ignoreLease = false;
  let wantsPrevious = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) value = reader.bytesView();
    else if (field === 3) lease = reader.sfixed64();
    else if (field === 4) ignoreValue = reader.bool();
    else if (field === 5) ignoreLease = reader.bool();
    else if (field === 6) wantsPrevious = reader.bool();
    else throw unknownField('a put', field);
  }
  return { type: 'put', key, value, lease, ignoreValue, ignoreLease, wantsPrevious };
}

function readDelete(reader: ProtoReader): TransactionOperation {
  let keys: KeySelection | undefined;
  let wantsPrevious = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) keys = readSelection(reader);
    else if (field === 2) wantsPrevious = reader.bool();
    else throw unknownField('a delete', field);
  }
  if (keys === undefined) throw new WireError('Cannot decode a delete: its keys are missing');
  return { type: 'delete', keys, wantsPrevious };
}

function readRange(reader: ProtoReader): RangeSelection {
  let keys: KeySelection | undefined;
  let limit = 0;
  let sortTarget: SortTarget = 'key';
  const flags = { descending: false, keysOnly: false, countOnly: false };
  /** By field number: `at` and the four filters. */
  const revisions: (Revision | undefined)[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) keys = readSelection(reader);
    else if (field === 3) limit = reader.varint();
    else if (field === 4) sortTarget = named(sortTargets, reader.varint(), 'a sort target');
    else if (field === 5) flags.descending = reader.bool();
    else if (field === 6) flags.keysOnly = reader.bool();
    else if (field === 7) flags.countOnly = reader.bool();
    else if (field === 2 || (field >= 8 && field <= 11)) revisions[field] = reader.varint() as Revision;
    else throw unknownField('a range', field);
  }
  if (keys === undefined) throw new WireError('Cannot decode a range: its keys are missing');
  return {
    ...keys,
    at: revisions[2],
    limit,
    sortTarget,
    ...flags,
    minModRevision: revisions[8],
    maxModRevision: revisions[9],
    minCreateRevision: revisions[10],
    maxCreateRevision: revisions[11],
  };
}
