// Range, Put, DeleteRange and Txn requests as the store's own operations. Decoded by hand: every request of a client's
// data comes through here. What no operation can say is a value of its own, for the checks to refuse. Bytes are views.

import { wholeSelection } from '../../../service/whole-selection.js';
import { type Bytes, compareBytes, emptyBytes } from '../../../shared/bytes.js';
import { type Revision, toRevision } from '../../../shared/ids.js';
import type {
  Compare,
  CompareRelation,
  KeySelection,
  RangeSelection,
  SortTarget,
  Transaction,
  TransactionOperation,
} from '../../../tree/transaction.js';
import type { ProtoReader } from '../../../wire/protobuf/proto-reader.js';
import { EtcdError, etcdFailures } from '../errors.js';

export type RangeOperation = Extract<TransactionOperation, { type: 'range' }>;
export type PutOperation = Extract<TransactionOperation, { type: 'put' }>;
export type DeleteOperation = Extract<TransactionOperation, { type: 'delete' }>;

/** Past every revision, version and count there will be; a condition that compares with it is decided. */
const neverReached = Number.MAX_SAFE_INTEGER;
/** Operations and conditions of one transaction, nested ones included: each costs an object, and comes for two bytes. */
const partsMax = 65_536;
/** Each level takes an operation from those that its parent leaves, so deeper ones are too many in any case. */
const depthMax = 1_024;

const nothingSelected: RangeSelection = { ...wholeSelection, from: emptyBytes, to: undefined, single: true };

/** An operation of a transaction that says nothing at all. */
export const operationMissing: TransactionOperation = { type: 'range', selection: nothingSelected };
/** A range in an order or by a target that does not exist. */
export const rangeUnsortable: RangeOperation = { type: 'range', selection: nothingSelected };

export interface RangeRequest {
  readonly operation: RangeOperation;
  readonly serializable: boolean;
}

const sortTargets: readonly SortTarget[] = ['key', 'version', 'create', 'mod', 'value'];
const sortOrderDescending = 2;

export function decodeRangeRequest(reader: ProtoReader): RangeRequest {
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let limit = 0;
  let revision = 0;
  let sortOrder = 0;
  let sortTarget = 0;
  let serializable = false;
  let keysOnly = false;
  let countOnly = false;
  let minMod = 0;
  let maxMod = 0;
  let minCreate = 0;
  let maxCreate = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) rangeEnd = reader.bytesView();
    else if (field === 3) limit = reader.int64();
    else if (field === 4) revision = reader.int64();
    else if (field === 5) sortOrder = reader.int64();
    else if (field === 6) sortTarget = reader.int64();
    else if (field === 7) serializable = reader.int64() !== 0;
    else if (field === 8) keysOnly = reader.int64() !== 0;
    else if (field === 9) countOnly = reader.int64() !== 0;
    else if (field === 10) minMod = reader.int64();
    else if (field === 11) maxMod = reader.int64();
    else if (field === 12) minCreate = reader.int64();
    else if (field === 13) maxCreate = reader.int64();
    else reader.skip();
  }
  const target = sortTargets[sortTarget];
  const sortable = target !== undefined && sortOrder >= 0 && sortOrder <= sortOrderDescending;
  if (key.length > 0 && !sortable) return { operation: rangeUnsortable, serializable };
  const hidesAll = maxMod < 0 || maxCreate < 0;
  return {
    operation: {
      type: 'range',
      selection: {
        ...keySelection(key, rangeEnd),
        at: bound(revision),
        limit: limit > 0 ? limit : 0,
        sortTarget: target ?? 'key',
        descending: sortOrder === sortOrderDescending,
        keysOnly,
        countOnly,
        // No record is as old as a negative upper bound wants it.
        minModRevision: hidesAll ? toRevision(neverReached) : bound(minMod),
        maxModRevision: bound(maxMod),
        minCreateRevision: bound(minCreate),
        maxCreateRevision: bound(maxCreate),
      },
    },
    serializable,
  };
}

export function decodePutRequest(reader: ProtoReader): PutOperation {
  let key = emptyBytes;
  let value = emptyBytes;
  let lease = 0n;
  let wantsPrevious = false;
  let ignoreValue = false;
  let ignoreLease = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) value = reader.bytesView();
    else if (field === 3) lease = BigInt.asIntN(64, reader.bigint());
    else if (field === 4) wantsPrevious = reader.int64() !== 0;
    else if (field === 5) ignoreValue = reader.int64() !== 0;
    else if (field === 6) ignoreLease = reader.int64() !== 0;
    else reader.skip();
  }
  return { type: 'put', key, value, lease, ignoreValue, ignoreLease, wantsPrevious };
}

export function decodeDeleteRangeRequest(reader: ProtoReader): DeleteOperation {
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let wantsPrevious = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) rangeEnd = reader.bytesView();
    else if (field === 3) wantsPrevious = reader.int64() !== 0;
    else reader.skip();
  }
  return { type: 'delete', keys: keySelection(key, rangeEnd), wantsPrevious };
}

export function decodeTxnRequest(reader: ProtoReader): Transaction {
  return new TransactionDecoder(reader).transaction(1);
}

/** Which keys a request names, by etcd's rules. A range that ends before it begins has none. */
export function keySelection(key: Bytes, rangeEnd: Bytes): KeySelection {
  if (rangeEnd.length === 0) return { from: key, to: undefined, single: true };
  if (rangeEnd.length === 1 && rangeEnd[0] === 0) return { from: key, to: undefined, single: false };
  return { from: key, to: compareBytes(rangeEnd, key) < 0 ? key : rangeEnd, single: false };
}

/** 0 is no bound. Below 0 a lower bound leaves nothing out, and a state that old is the newest. */
function bound(revision: number): Revision | undefined {
  return revision > 0 ? toRevision(revision) : undefined;
}

class TransactionDecoder {
  private readonly reader: ProtoReader;
  private parts = 0;

  constructor(reader: ProtoReader) {
    this.reader = reader;
  }

  transaction(depth: number): Transaction {
    if (depth > depthMax) throw new EtcdError(etcdFailures.tooManyOperations);
    const { reader } = this;
    const compares: Compare[] = [];
    const success: TransactionOperation[] = [];
    const failure: TransactionOperation[] = [];
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field > 3) {
        reader.skip();
        continue;
      }
      if (++this.parts > partsMax) throw new EtcdError(etcdFailures.tooManyOperations);
      const outer = reader.enterMessage();
      if (field === 1) compares.push(decodeCompare(reader));
      else (field === 2 ? success : failure).push(this.operation(depth));
      reader.leaveMessage(outer);
    }
    return { compares, success, failure };
  }

  private operation(depth: number): TransactionOperation {
    const { reader } = this;
    let operation = operationMissing;
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field > 4) {
        reader.skip();
        continue;
      }
      const outer = reader.enterMessage();
      if (field === 1) operation = decodeRangeRequest(reader).operation;
      else if (field === 2) operation = decodePutRequest(reader);
      else if (field === 3) operation = decodeDeleteRangeRequest(reader);
      else operation = { type: 'transaction', transaction: this.transaction(depth + 1) };
      reader.leaveMessage(outer);
    }
    return operation;
  }
}

const relations: readonly (CompareRelation | undefined)[] = ['equal', 'greater', 'less', 'notEqual'];
const targets = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;

function decodeCompare(reader: ProtoReader): Compare {
  let result = 0;
  let target = 0;
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  // Which of them is given, its field says; only the target's own counts.
  let given = 0;
  let number = 0;
  let lease = 0n;
  let value = emptyBytes;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) result = reader.int64();
    else if (field === 2) target = reader.int64();
    else if (field === 3) key = reader.bytesView();
    else if (field >= 4 && field <= 6) number = reader.int64();
    else if (field === 7) value = reader.bytesView();
    else if (field === 8) lease = BigInt.asIntN(64, reader.bigint());
    else if (field === 64) rangeEnd = reader.bytesView();
    else reader.skip();
    if (field >= 4 && field <= 8) given = field;
  }
  const keys = keySelection(key, rangeEnd);
  const relation = relations[result];
  if (relation === undefined) return unknownRelation(keys, target);
  switch (target) {
    case targets.version:
      return compareNumber(keys, 'version', relation, given === 4 ? number : 0);
    case targets.create:
      return compareNumber(keys, 'create', relation, given === 5 ? number : 0);
    case targets.mod:
      return compareNumber(keys, 'mod', relation, given === 6 ? number : 0);
    case targets.value:
      return { keys, target: 'value', relation, operand: given === 7 ? value : emptyBytes };
    case targets.lease:
      return { keys, target: 'lease', relation, operand: given === 8 ? lease : 0n };
    default:
      // Whatever it is, to etcd it is equal.
      return relation === 'equal' ? always(keys) : never(keys);
  }
}

/** Versions and revisions are never negative, so what a negative operand decides is known. */
function compareNumber(
  keys: KeySelection,
  target: 'version' | 'create' | 'mod',
  relation: CompareRelation,
  operand: number,
): Compare {
  if (operand >= 0) return { keys, target, relation, operand };
  return relation === 'greater' || relation === 'notEqual' ? always(keys) : never(keys);
}

/** To etcd a relation that it does not know holds, but of the value of a key that is not there nothing does. */
function unknownRelation(keys: KeySelection, target: number): Compare {
  if (target !== targets.value) return always(keys);
  return { keys, target: 'version', relation: 'greater', operand: 0 };
}

function always(keys: KeySelection): Compare {
  return { keys, target: 'version', relation: 'notEqual', operand: neverReached };
}

function never(keys: KeySelection): Compare {
  return { keys, target: 'version', relation: 'equal', operand: neverReached };
}
