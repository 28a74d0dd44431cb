import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtoReader } from '../../wire/protobuf/proto-reader.js';
import { encodeMessage } from './codec/generated-codec.js';
import { int64Of } from './codec/int64.js';
import { decodePutRequest, decodeRangeRequest, decodeTxnRequest } from './codec/operation-requests.js';
import { etcdserverpb as pb } from './generated/messages.js';
import { KeyIntervals } from './key-intervals.js';
import { checkOperation, checkTransaction } from './operation-checks.js';

const bytes = (text: string) => Buffer.from(text);
const putRefusal = (fields: pb.IPutRequest) =>
  checkOperation(decodePutRequest(new ProtoReader(encodeMessage(pb.PutRequest, fields))))?.message;
const rangeRefusal = (fields: pb.IRangeRequest) =>
  checkOperation(decodeRangeRequest(new ProtoReader(encodeMessage(pb.RangeRequest, fields))).operation)?.message;
const txnRefusal = (fields: pb.ITxnRequest, operationsMax = 128) =>
  checkTransaction(decodeTxnRequest(new ProtoReader(encodeMessage(pb.TxnRequest, fields))), operationsMax)?.message;

const put = (key: string): pb.IRequestOp => ({ request_put: { key: bytes(key) } });
const remove = (key: string, end = ''): pb.IRequestOp => ({
  request_delete_range: { key: bytes(key), range_end: bytes(end) },
});
const txn = (success: pb.IRequestOp[], failure: pb.IRequestOp[] = []): pb.IRequestOp => ({
  request_txn: { success, failure },
});

const emptyKey = 'etcdserver: key is not provided';
const duplicateKey = 'etcdserver: duplicate key given in txn request';
const tooMany = 'etcdserver: too many operations in txn request';

describe('checkOperation()', () => {
  it('judges the key first, then what is to be ignored', () => {
    const key = bytes('k');
    const both = { value: key, lease: int64Of(1), ignore_value: true, ignore_lease: true };
    expect(putRefusal(both)).toBe(emptyKey);
    expect(putRefusal({ key, ...both })).toBe('etcdserver: value is provided');
    expect(putRefusal({ key, ...both, ignore_value: false })).toBe('etcdserver: lease is provided');
    expect(putRefusal({ key, ignore_value: true, ignore_lease: true })).toBeUndefined();
    expect(rangeRefusal({ sort_order: 7 as pb.RangeRequest.SortOrder })).toBe(emptyKey);
    expect(rangeRefusal({ key, sort_order: 7 as pb.RangeRequest.SortOrder })).toBe('etcdserver: invalid sort option');
    expect(rangeRefusal({ key })).toBeUndefined();
  });
});

describe('checkTransaction()', () => {
  it('counts before it looks, nested operations against what the parent leaves', () => {
    expect(txnRefusal({ success: [put(''), put('b'), put('c')] }, 2)).toBe(tooMany);
    expect(txnRefusal({ compare: [{}, {}, {}] }, 2)).toBe(tooMany);
    expect(txnRefusal({ success: [txn([put('a'), put('b')])] }, 3)).toBeUndefined();
    expect(txnRefusal({ success: [txn([put('a'), put('b')])] }, 2)).toBe(tooMany);
    expect(txnRefusal({ success: [put(''), txn([put('a'), put('b')])] }, 2)).toBe(emptyKey);
  });

  it('refuses empty keys and operations that say nothing, conditions first', () => {
    expect(txnRefusal({ compare: [{}], success: [{}] })).toBe(emptyKey);
    expect(txnRefusal({ success: [{}, put('')] })).toBe('etcdserver: key not found');
    expect(txnRefusal({ failure: [put('')] })).toBe(emptyKey);
    expect(txnRefusal({ failure: [txn([remove('')])] })).toBe(emptyKey);
    expect(txnRefusal({})).toBeUndefined();
  });

  it('refuses a key that is put twice, or put where it is deleted', () => {
    expect(txnRefusal({ success: [put('a'), put('a')] })).toBe(duplicateKey);
    expect(txnRefusal({ failure: [put('a'), put('a')] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [put('a')], failure: [put('a')] })).toBeUndefined();
    expect(txnRefusal({ success: [put('b'), remove('a', 'c')] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [put('c'), remove('a', 'c')] })).toBeUndefined();
    expect(txnRefusal({ success: [remove('a'), remove('a', 'c'), put('a1'), put('d')] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [remove('c', 'a'), put('b')] })).toBeUndefined();
    expect(txnRefusal({ success: [remove('a'), put('a\0')] })).toBeUndefined();
  });

  it('looks across nesting, but not across arms that exclude each other', () => {
    expect(txnRefusal({ success: [put('a'), txn([put('a')])] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [txn([put('a')], [put('a')])] })).toBeUndefined();
    expect(txnRefusal({ success: [txn([put('a')]), txn([], [put('a')])] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [remove('a', 'b'), txn([put('a1')])] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [put('a1'), txn([], [remove('a', 'b')])] })).toBe(duplicateKey);
    expect(txnRefusal({ success: [txn([remove('a', 'b')]), txn([put('a1')])] })).toBe(duplicateKey);
  });
});

describe('KeyIntervals', () => {
  it('has the keys that were added, and no others', () => {
    const interval = fc.tuple(fc.nat(20), fc.nat(20), fc.boolean());
    fc.assert(
      fc.property(fc.array(interval, { maxLength: 8 }), (added) => {
        const intervals = new KeyIntervals();
        const expected = new Set<number>();
        for (const [a, b, endless] of added) {
          const [from, to] = a < b ? [a, b] : [b, a + 1];
          intervals.add(Uint8Array.of(from), endless && from > 15 ? undefined : Uint8Array.of(to));
          for (let key = from; key < (endless && from > 15 ? 40 : to); key++) expected.add(key);
        }
        for (let key = 0; key < 40; key++) expect(intervals.has(Uint8Array.of(key))).toBe(expected.has(key));
      }),
    );
  });
});
