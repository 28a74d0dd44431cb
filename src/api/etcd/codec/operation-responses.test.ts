import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Revision } from '../../../shared/ids.js';
import type { KeyRecord } from '../../../tree/store.js';
import type { OperationOutcome, TransactionOutcome } from '../../../tree/transaction.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import { encodeMessage } from './generated-codec.js';
import { int64Of } from './int64.js';
import {
  encodeDeleteRangeResponse,
  encodePutResponse,
  encodeTxnResponse,
  rangeRecordSize,
  rangeTailSize,
  writeRangeRecord,
  writeRangeTail,
} from './operation-responses.js';
import {
  headerFieldSize,
  headerFields,
  headerIdentity,
  type ResponseHeader,
  writeHeaderField,
} from './response-header.js';

const record: fc.Arbitrary<KeyRecord> = fc.record({
  key: fc.uint8Array({ minLength: 1, maxLength: 200 }),
  value: fc.uint8Array({ maxLength: 300 }),
  createRevision: fc.maxSafeNat() as fc.Arbitrary<Revision>,
  modRevision: fc.maxSafeNat() as fc.Arbitrary<Revision>,
  version: fc.nat(),
  lease: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});
const header: fc.Arbitrary<ResponseHeader> = fc
  .tuple(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER }),
    fc.nat(2 ** 21),
  )
  .map(([clusterId, memberId, revision, raftTerm]) => ({
    identity: headerIdentity(clusterId, memberId),
    revision,
    raftTerm,
  }));

const keyValue = ({ key, value, createRevision, modRevision, version, lease }: KeyRecord) => ({
  key,
  value,
  create_revision: int64Of(createRevision),
  mod_revision: int64Of(modRevision),
  version: int64Of(version),
  lease: int64Of(lease),
});

/** The generated code writes zeros that are given to it; the bytes of etcd have none. */
const present = (record: KeyRecord) =>
  Object.fromEntries(Object.entries(keyValue(record)).filter(([, value]) => !isZero(value)));
const isZero = (value: unknown) =>
  value instanceof Uint8Array ? value.length === 0 : (value as { isZero(): boolean }).isZero();

const headerOf = (value: ResponseHeader) =>
  Object.fromEntries(Object.entries(headerFields(value)).filter(([, field]) => !isZero(field)));

describe('answers to operations are byte for byte those of the generated code:', () => {
  it('RangeResponse, of exactly the size that was told', () => {
    fc.assert(
      fc.property(header, fc.array(record, { maxLength: 5 }), fc.boolean(), fc.nat(), (head, records, more, count) => {
        let size = headerFieldSize(head) + rangeTailSize({ more, count });
        for (const each of records) size += rangeRecordSize(each);
        const writer = new ProtoWriter(16);
        writeHeaderField(writer, head);
        for (const each of records) writeRangeRecord(writer, each);
        writeRangeTail(writer, { more, count });
        expect(writer.position).toBe(size);
        const generated = encodeMessage(pb.RangeResponse, {
          header: headerOf(head),
          kvs: records.map(present),
          ...(more ? { more } : {}),
          ...(count > 0 ? { count: int64Of(count) } : {}),
        });
        expect(Array.from(writer.written())).toEqual(Array.from(generated));
      }),
    );
  });

  it('PutResponse', () => {
    fc.assert(
      fc.property(header, fc.option(record, { nil: undefined }), (head, previous) => {
        const generated = encodeMessage(pb.PutResponse, {
          header: headerOf(head),
          ...(previous === undefined ? {} : { prev_kv: present(previous) }),
        });
        expect(Array.from(encodePutResponse(head, previous))).toEqual(Array.from(generated));
      }),
    );
  });

  it('DeleteRangeResponse', () => {
    fc.assert(
      fc.property(header, fc.array(record, { maxLength: 4 }), fc.nat(), (head, previous, deleted) => {
        const generated = encodeMessage(pb.DeleteRangeResponse, {
          header: headerOf(head),
          ...(deleted > 0 ? { deleted: int64Of(deleted) } : {}),
          prev_kvs: previous.map(present),
        });
        expect(Array.from(encodeDeleteRangeResponse(head, { deleted, previous }))).toEqual(Array.from(generated));
      }),
    );
  });

  it('TxnResponse, with transactions inside', () => {
    const { outcome } = fc.letrec<{ outcome: OperationOutcome; transaction: TransactionOutcome }>((tie) => ({
      outcome: fc.oneof(
        { depthSize: 'small' },
        fc.record({ type: fc.constant('put' as const), previous: fc.option(record, { nil: undefined }) }),
        fc.record({
          type: fc.constant('delete' as const),
          deleted: fc.nat(3),
          previous: fc.array(record, { maxLength: 2 }),
        }),
        fc.record({
          type: fc.constant('range' as const),
          records: fc.array(record, { maxLength: 2 }),
          count: fc.nat(3),
          more: fc.boolean(),
        }),
        tie('transaction'),
      ),
      transaction: fc.record({
        type: fc.constant('transaction' as const),
        succeeded: fc.boolean(),
        outcomes: fc.array(tie('outcome'), { maxLength: 3 }),
      }),
    }));
    fc.assert(
      fc.property(header, fc.boolean(), fc.array(outcome, { maxLength: 4 }), (head, succeeded, outcomes) => {
        const responses = new Expected(head.revision).responses(outcomes);
        const generated = encodeMessage(pb.TxnResponse, {
          header: headerOf(head),
          ...(succeeded ? { succeeded } : {}),
          responses,
        });
        const encoded = encodeTxnResponse(head, { type: 'transaction', succeeded, outcomes });
        expect(Array.from(encoded)).toEqual(Array.from(generated));
      }),
    );
  });
});

/** What the generated code is to be given, revisions worked out in another way: from the end of the transaction. */
class Expected {
  private readonly last: number;

  constructor(last: number) {
    this.last = last;
  }

  responses(outcomes: readonly OperationOutcome[]): pb.IResponseOp[] {
    const flat = flattened(outcomes);
    const first = flat.findIndex(changes);
    const revisions = new Map(
      flat.map((outcome, index) => [outcome, first >= 0 && index < first ? this.last - 1 : this.last]),
    );
    return outcomes.map((outcome) => this.response(outcome, revisions));
  }

  private response(outcome: OperationOutcome, revisions: ReadonlyMap<OperationOutcome, number>): pb.IResponseOp {
    const header = { revision: int64Of(revisions.get(outcome) ?? 0) };
    switch (outcome.type) {
      case 'put':
        return {
          response_put: { header, ...(outcome.previous === undefined ? {} : { prev_kv: present(outcome.previous) }) },
        };
      case 'delete':
        return {
          response_delete_range: {
            header,
            ...(outcome.deleted > 0 ? { deleted: int64Of(outcome.deleted) } : {}),
            prev_kvs: outcome.previous.map(present),
          },
        };
      case 'range':
        return {
          response_range: {
            header,
            kvs: outcome.records.map(present),
            ...(outcome.more ? { more: true } : {}),
            ...(outcome.count > 0 ? { count: int64Of(outcome.count) } : {}),
          },
        };
      case 'transaction':
        return {
          response_txn: {
            header: {},
            ...(outcome.succeeded ? { succeeded: true } : {}),
            responses: outcome.outcomes.map((inner) => this.response(inner, revisions)),
          },
        };
    }
  }
}

function flattened(outcomes: readonly OperationOutcome[]): OperationOutcome[] {
  return outcomes.flatMap((outcome) => (outcome.type === 'transaction' ? flattened(outcome.outcomes) : [outcome]));
}

function changes(outcome: OperationOutcome): boolean {
  return outcome.type === 'put' || (outcome.type === 'delete' && outcome.deleted > 0);
}
