import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyWireErrors } from '../../../../test/support/codec-checks.js';
import { ProtoReader } from '../../../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { encodeMessage } from './generated-codec.js';
import { int64Of } from './int64.js';
import {
  decodeDeleteRangeRequest,
  decodePutRequest,
  decodeRangeRequest,
  decodeTxnRequest,
  keySelection,
  operationMissing,
  rangeUnsortable,
} from './operation-requests.js';

const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 });
const int64 = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -3n, max: 300n }),
  fc.constantFrom(2n ** 53n - 1n, 2n ** 53n, -(2n ** 53n)),
);
const rangeFields = fc.record({
  key: bytes,
  range_end: fc.oneof(bytes, fc.constant(new Uint8Array(0)), fc.constant(new Uint8Array(1))),
  limit: int64,
  revision: int64,
  sort_order: fc.nat(2),
  sort_target: fc.nat(4),
  serializable: fc.boolean(),
  keys_only: fc.boolean(),
  count_only: fc.boolean(),
  min_mod_revision: int64,
  max_mod_revision: int64,
  min_create_revision: int64,
  max_create_revision: int64,
});
const putFields = fc.record({
  key: bytes,
  value: fc.uint8Array({ maxLength: 40 }),
  lease: int64,
  prev_kv: fc.boolean(),
  ignore_value: fc.boolean(),
  ignore_lease: fc.boolean(),
});

type RangeFields = typeof rangeFields extends fc.Arbitrary<infer Fields> ? Fields : never;
type PutFields = typeof putFields extends fc.Arbitrary<infer Fields> ? Fields : never;

const encodedRange = (fields: Partial<RangeFields>) =>
  encodeMessage(pb.RangeRequest, {
    ...fields,
    limit: int64Of(fields.limit ?? 0),
    revision: int64Of(fields.revision ?? 0),
    min_mod_revision: int64Of(fields.min_mod_revision ?? 0),
    max_mod_revision: int64Of(fields.max_mod_revision ?? 0),
    min_create_revision: int64Of(fields.min_create_revision ?? 0),
    max_create_revision: int64Of(fields.max_create_revision ?? 0),
  });
const encodedPut = (fields: PutFields) => encodeMessage(pb.PutRequest, { ...fields, lease: int64Of(fields.lease) });

/** A number in a request as it is understood: exact, or the nearest that is. */
const near = (value: bigint) =>
  Number(value > 2n ** 53n - 1n ? 2n ** 53n - 1n : value < -(2n ** 53n - 1n) ? -(2n ** 53n - 1n) : value);
const positive = (value: bigint) => (value > 0n ? near(value) : undefined);
const plain = (value: Uint8Array) => Array.from(value);

describe('decodeRangeRequest()', () => {
  it('reads every field as the generated code writes it', () => {
    fc.assert(
      fc.property(rangeFields, (fields) => {
        const { operation, serializable } = decodeRangeRequest(new ProtoReader(encodedRange(fields)));
        const { selection } = operation;
        const hidden = fields.max_mod_revision < 0n || fields.max_create_revision < 0n;
        expect({ ...selection, from: plain(selection.from), to: undefined, serializable }).toEqual({
          from: plain(fields.key),
          to: undefined,
          single: fields.range_end.length === 0,
          at: positive(fields.revision),
          limit: positive(fields.limit) ?? 0,
          sortTarget: ['key', 'version', 'create', 'mod', 'value'][fields.sort_target],
          descending: fields.sort_order === 2,
          keysOnly: fields.keys_only,
          countOnly: fields.count_only,
          minModRevision: hidden ? Number.MAX_SAFE_INTEGER : positive(fields.min_mod_revision),
          maxModRevision: positive(fields.max_mod_revision),
          minCreateRevision: positive(fields.min_create_revision),
          maxCreateRevision: positive(fields.max_create_revision),
          serializable: fields.serializable,
        });
      }),
    );
  });

  it('says when there is no such order or target, but only of a request with a key', () => {
    const key = Uint8Array.of(1);
    for (const fields of [{ sort_order: 3 }, { sort_target: 5 }, { sort_order: -1 }, { sort_target: -1 }]) {
      expect(decodeRangeRequest(new ProtoReader(encodedRange({ key, ...fields }))).operation).toBe(rangeUnsortable);
      expect(decodeRangeRequest(new ProtoReader(encodedRange(fields))).operation.selection.from).toHaveLength(0);
    }
  });

  it('passes over fields that it does not know', () => {
    const known = encodedRange({ key: Uint8Array.of(7) });
    const unknown = Uint8Array.of(0xa2, 0x06, 3, 1, 2, 3, 0xa8, 0x06, 0x96, 0x01, 0xad, 0x06, 1, 2, 3, 4);
    const { operation } = decodeRangeRequest(new ProtoReader(Uint8Array.of(...unknown, ...known, ...unknown)));
    expect(plain(operation.selection.from)).toEqual([7]);
  });

  it('throws only WireError', () => {
    const encoded = rangeFields.map(encodedRange);
    expectOnlyWireErrors(encoded, (input) => decodeRangeRequest(new ProtoReader(input)));
  });
});

describe('keySelection()', () => {
  it('follows the rules of range_end', () => {
    const key = Uint8Array.of(5);
    expect(keySelection(key, new Uint8Array(0))).toEqual({ from: key, to: undefined, single: true });
    expect(keySelection(key, new Uint8Array(1))).toEqual({ from: key, to: undefined, single: false });
    expect(keySelection(key, Uint8Array.of(6))).toEqual({ from: key, to: Uint8Array.of(6), single: false });
    // It ends before it begins: no keys, and no error.
    expect(keySelection(key, Uint8Array.of(4))).toEqual({ from: key, to: key, single: false });
  });
});

describe('decodePutRequest()', () => {
  it('reads every field as the generated code writes it', () => {
    fc.assert(
      fc.property(putFields, (fields) => {
        const put = decodePutRequest(new ProtoReader(encodedPut(fields)));
        expect({ ...put, key: plain(put.key), value: plain(put.value) }).toEqual({
          type: 'put',
          key: plain(fields.key),
          value: plain(fields.value),
          lease: fields.lease,
          wantsPrevious: fields.prev_kv,
          ignoreValue: fields.ignore_value,
          ignoreLease: fields.ignore_lease,
        });
      }),
    );
  });

  it('throws only WireError', () => {
    expectOnlyWireErrors(putFields.map(encodedPut), (input) => decodePutRequest(new ProtoReader(input)));
  });
});

describe('decodeDeleteRangeRequest()', () => {
  it('reads every field as the generated code writes it', () => {
    fc.assert(
      fc.property(bytes, fc.boolean(), (key, prevKv) => {
        const encoded = encodeMessage(pb.DeleteRangeRequest, { key, range_end: new Uint8Array(1), prev_kv: prevKv });
        const { keys, wantsPrevious } = decodeDeleteRangeRequest(new ProtoReader(encoded));
        expect(plain(keys.from)).toEqual(plain(key));
        expect({ to: keys.to, single: keys.single, wantsPrevious }).toEqual({
          to: undefined,
          single: false,
          wantsPrevious: prevKv,
        });
      }),
    );
  });
});

/** A transaction with so many others inside, one in the other. */
function nested(depth: number): Uint8Array {
  let inner = new Uint8Array(0);
  for (let index = 0; index < depth; index++) {
    const operation = new ProtoWriter(inner.length + 16);
    operation.presentBytesField(4, inner);
    const transaction = new ProtoWriter(inner.length + 32);
    transaction.presentBytesField(2, operation.written());
    inner = transaction.finish();
  }
  return inner;
}

describe('decodeTxnRequest()', () => {
  const key = Uint8Array.of(1);
  const decoded = (fields: pb.ITxnRequest) => decodeTxnRequest(new ProtoReader(encodeMessage(pb.TxnRequest, fields)));
  const compare = (fields: pb.ICompare) => decoded({ compare: [{ key, ...fields }] }).compares[0];
  const keys = { from: key, to: undefined, single: true };

  it('reads operations of every kind, nested, in order', () => {
    const transaction = decoded({
      success: [
        { request_range: { key } },
        { request_put: { key, value: key } },
        { request_txn: { failure: [{ request_delete_range: { key } }, {}] } },
      ],
      failure: [{ request_put: { key } }],
    });
    expect(transaction.success.map(({ type }) => type)).toEqual(['range', 'put', 'transaction']);
    expect(transaction.failure.map(({ type }) => type)).toEqual(['put']);
    const nested = transaction.success[2];
    if (nested?.type !== 'transaction') throw new Error('not nested');
    expect(nested.transaction.failure[0]?.type).toBe('delete');
    expect(nested.transaction.failure[1]).toBe(operationMissing);
  });

  it('reads what is compared by the target, whatever else is given', () => {
    const { Compare } = pb;
    const { EQUAL, GREATER, LESS, NOT_EQUAL } = Compare.CompareResult;
    const { VERSION, CREATE, MOD, VALUE, LEASE } = Compare.CompareTarget;
    expect(compare({ target: VERSION, result: EQUAL, version: int64Of(3) })).toEqual({
      ...{ keys, target: 'version', relation: 'equal', operand: 3 },
    });
    expect(compare({ target: CREATE, result: GREATER, create_revision: int64Of(3) })).toEqual({
      ...{ keys, target: 'create', relation: 'greater', operand: 3 },
    });
    expect(compare({ target: MOD, result: LESS, mod_revision: int64Of(3) })).toEqual({
      ...{ keys, target: 'mod', relation: 'less', operand: 3 },
    });
    expect(compare({ target: LEASE, result: NOT_EQUAL, lease: int64Of(-3n) })).toEqual({
      ...{ keys, target: 'lease', relation: 'notEqual', operand: -3n },
    });
    const value = compare({ target: VALUE, result: EQUAL, value: Uint8Array.of(9) });
    expect(value).toMatchObject({ target: 'value', operand: Uint8Array.of(9) });
    // What is given is not of the target: to etcd that is zero.
    expect(compare({ target: MOD, result: EQUAL, version: int64Of(3) })).toMatchObject({ operand: 0 });
    expect(compare({ target: VALUE, result: EQUAL, version: int64Of(3) })).toMatchObject({
      operand: new Uint8Array(0),
    });
  });

  it('decides what a negative operand or an unknown relation decides', () => {
    const { GREATER, LESS } = pb.Compare.CompareResult;
    const always = { target: 'version', relation: 'notEqual', operand: Number.MAX_SAFE_INTEGER };
    const never = { target: 'version', relation: 'equal', operand: Number.MAX_SAFE_INTEGER };
    expect(compare({ target: 2, result: GREATER, mod_revision: int64Of(-1) })).toMatchObject(always);
    expect(compare({ target: 2, result: LESS, mod_revision: int64Of(-1) })).toMatchObject(never);
    expect(compare({ target: 0, result: 9 as pb.Compare.CompareResult, version: int64Of(5) })).toMatchObject(always);
    const value = compare({ target: 3, result: 9 as pb.Compare.CompareResult, value: key });
    expect(value).toMatchObject({ target: 'version', relation: 'greater', operand: 0 });
    expect(compare({ target: 9 as pb.Compare.CompareTarget, result: 0 })).toMatchObject(always);
    expect(compare({ target: 9 as pb.Compare.CompareTarget, result: 3 })).toMatchObject(never);
  });

  it('refuses more operations or deeper ones than could ever be executed', () => {
    const many = new Uint8Array(2 * 65_537);
    for (let index = 0; index < many.length; index += 2) many[index] = 0x12;
    const tooMany = 'etcdserver: too many operations in txn request';
    expect(() => decodeTxnRequest(new ProtoReader(many))).toThrow(tooMany);
    expect(decodeTxnRequest(new ProtoReader(nested(1_023))).success[0]?.type).toBe('transaction');
    expect(() => decodeTxnRequest(new ProtoReader(nested(1_024)))).toThrow(tooMany);
  });

  it('throws only WireError', () => {
    const encoded = fc.tuple(rangeFields, putFields).map(([range, put]) =>
      encodeMessage(pb.TxnRequest, {
        compare: [{ key: range.key, target: 3, value: range.key, range_end: range.range_end }],
        success: [{ request_put: { ...put, lease: int64Of(put.lease) } }, { request_txn: {} }],
      }),
    );
    expectOnlyWireErrors(encoded, (input) => decodeTxnRequest(new ProtoReader(input)));
  });
});
