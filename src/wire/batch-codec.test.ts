import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { errorCodes } from '../shared/errors.js';
import { counterMax, toEpoch, type Zxid, zxidOf } from '../shared/ids.js';
import type { Entry, Operation } from '../tree/delta.js';
import { decodeBatch, encodeBatch } from './batch-codec.js';
import { zabtree } from './generated/protocol.js';

const safe = fc.oneof(
  fc.maxSafeNat(),
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 2 ** 28, 2 ** 31, 2 ** 32, 2 ** 53 - 1),
);
const bytes = fc.uint8Array({ maxLength: 300 });
const space = fc.constantFrom(1, 2, 4, 5, 6, 7);
const lease = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

const operation = fc.oneof(
  fc.record({ type: fc.constant('put'), space, key: bytes, value: bytes, createRevision: safe, version: safe, lease }),
  fc.record({ type: fc.constant('delete'), space, key: bytes }),
  fc.record({ type: fc.constant('deleteRange'), space, from: bytes, to: bytes }),
  fc.record({ type: fc.constant('compactTo'), revision: safe }),
  fc.record({
    type: fc.constant('remember'),
    client: safe.map((value) => value || 1),
    request: safe,
    acknowledgedBelow: safe,
    code: fc.constantFrom('OK', ...errorCodes),
  }),
  fc.record({ type: fc.constant('checkpoint') }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<Operation>;

const batch: fc.Arbitrary<{ first: Zxid; entries: Entry[] }> = fc
  .record({
    epoch: fc.integer({ min: 1, max: 2 ** 21 - 1 }),
    counter: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: counterMax - 100 })),
    deltas: fc.array(fc.record({ revision: safe, operations: fc.array(operation, { maxLength: 5 }) }), {
      minLength: 1,
      maxLength: 20,
    }),
  })
  .map(({ epoch, counter, deltas }) => {
    const first = zxidOf(toEpoch(epoch), counter);
    const entries = deltas.map((delta, index) => ({ zxid: first + index, ...delta }) as unknown as Entry);
    return { first, entries };
  });

const sample: Entry[] = [
  {
    zxid: zxidOf(toEpoch(5), 7),
    revision: 12,
    operations: [
      {
        type: 'put',
        space: 1,
        key: Uint8Array.of(1, 2),
        value: new Uint8Array(200).fill(7),
        createRevision: 3,
        version: 2,
        lease: 2n ** 63n - 1n,
      },
      { type: 'remember', client: 2 ** 52, request: 9, acknowledgedBelow: 4, code: 'KEY_NOT_FOUND' },
    ],
  } as unknown as Entry,
  { zxid: zxidOf(toEpoch(5), 8), revision: 12, operations: [{ type: 'checkpoint' }] } as unknown as Entry,
];
const sampleFirst = zxidOf(toEpoch(5), 7);

describe('batch codec', () => {
  it('decodeBatch() gives back what encodeBatch() took', () => {
    fc.assert(
      fc.property(batch, ({ first, entries }) => {
        expect(decodeBatch(encodeBatch(first, entries), first)).toEqual(entries);
      }),
    );
  });

  it('encodeBatch() writes byte for byte what protobufjs writes', () => {
    fc.assert(
      fc.property(batch, ({ first, entries }) => {
        const body = encodeBatch(first, entries);
        const theirs = zabtree.log.Batch.encode(zabtree.log.Batch.decode(body)).finish();
        expect(Buffer.compare(body, theirs)).toBe(0);
      }),
    );
  });

  it('encodeBatch() keeps all 64 bits of a lease', () => {
    const body = encodeBatch(sampleFirst, sample);
    const theirs = zabtree.log.Batch.decode(body).entries[0]?.operations?.[0]?.put?.lease;
    expect(String(theirs)).toBe('9223372036854775807');
    const [entry] = decodeBatch(body, sampleFirst);
    const [operation] = entry?.operations ?? [];
    expect(operation?.type === 'put' && operation.lease).toBe(2n ** 63n - 1n);
  });

  it('encodeBatch() refuses numbers that are not exact and zxids with a gap', () => {
    const [one, two] = sample as [Entry, Entry];
    expect(() => encodeBatch(sampleFirst, [{ ...one, revision: 2 ** 53 } as Entry])).toThrow(/safe integer/);
    expect(() => encodeBatch(sampleFirst, [{ ...one, revision: -1 } as Entry])).toThrow(/safe integer/);
    expect(() => encodeBatch(sampleFirst, [one, one, two])).toThrow(/do not follow/);
    expect(() => encodeBatch(sampleFirst, [])).toThrow(/without entries/);
  });

  it('decodeBatch() refuses a body cut at any length', () => {
    expectEveryCutRefused(encodeBatch(sampleFirst, sample), (body) => decodeBatch(body, sampleFirst));
  });

  it('decodeBatch() refuses another first zxid, a wrong count and what it does not know', () => {
    const body = encodeBatch(sampleFirst, sample);
    expect(() => decodeBatch(body, zxidOf(toEpoch(5), 8))).toThrow(/begins at zxid/);
    const encode = (fields: zabtree.log.Batch.$Properties): Uint8Array =>
      zabtree.log.Batch.encode({ first: sampleFirst, ...fields }).finish();
    expect(() => decodeBatch(encode({ count: 1 }), sampleFirst)).toThrow(/0 entries, its count is 1/);
    expect(() => decodeBatch(encode({ count: 0 }), sampleFirst)).toThrow(/0 entries/);
    expect(() => decodeBatch(encode({ count: 1, entries: [{}, {}] }), sampleFirst)).toThrow(/more entries/);
    expect(() => decodeBatch(encode({ count: 2 ** 31, entries: [{}] }), sampleFirst)).toThrow(/1 entries/);
    expect(() => decodeBatch(encode({ count: 1, entries: [{ operations: [{}] }] }), sampleFirst)).toThrow(/empty/);
    const local = encode({ count: 1, entries: [{ operations: [{ put: { space: 3 } }] }] });
    expect(() => decodeBatch(local, sampleFirst)).toThrow(/space 3/);
    const newer = encode({ count: 1, entries: [{ operations: [{ put: { space: 8 } }] }] });
    expect(() => decodeBatch(newer, sampleFirst)).toThrow(/space 8/);
    const newerCode = encode({ count: 1, entries: [{ operations: [{ remember: { client: 1, code: 99 } }] }] });
    expect(() => decodeBatch(newerCode, sampleFirst)).toThrow(/code 99 is not known/);
    const unknownField = new Uint8Array([...encode({ count: 1, entries: [{}] }), 0x78, 1]);
    expect(() => decodeBatch(unknownField, sampleFirst)).toThrow(/field 15 is not known/);
    const pastEpoch = zxidOf(toEpoch(5), counterMax);
    expect(() => decodeBatch(encode({ first: pastEpoch, count: 2, entries: [{}, {}] }), pastEpoch)).toThrow(
      /past its epoch/,
    );
  });

  it('decodeBatch() of changed or random bytes throws WireError or gives a batch, never anything else', () => {
    expectOnlyWireErrors(
      batch.map(({ first, entries }) => encodeBatch(first, entries)),
      (body) => decodeBatch(body, sampleFirst),
    );
    const fixed = fc.constant(encodeBatch(sampleFirst, sample));
    expectOnlyWireErrors(fixed, (body) => decodeBatch(body, sampleFirst));
  });
});
