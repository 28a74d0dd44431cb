import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { etcdserverpb as pb } from '../generated/messages.js';
import { decodeMessage, encodeMessage } from './generated-codec.js';
import { bigintOf, int64Of, numberOf, unsignedOf } from './int64.js';

const sentAndReceived = (value: bigint | number) =>
  decodeMessage(pb.LeaseRevokeRequest, encodeMessage(pb.LeaseRevokeRequest, { ID: int64Of(value) })).ID;

describe('64-bit fields', () => {
  it('carry all 64 bits, signed or not', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (id) => bigintOf(sentAndReceived(id)) === id),
    );
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (id) => unsignedOf(sentAndReceived(id)) === id));
  });

  it('carry every safe integer as a number, and the nearest one for what is past them', () => {
    fc.assert(fc.property(fc.maxSafeInteger(), (value) => numberOf(sentAndReceived(value)) === value));
    expect(numberOf(sentAndReceived(2n ** 63n - 1n))).toBe(Number.MAX_SAFE_INTEGER);
    expect(numberOf(sentAndReceived(-(2n ** 63n)))).toBe(Number.MIN_SAFE_INTEGER);
    expect(numberOf(sentAndReceived(2n ** 53n))).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('are 0 when they are not there', () => {
    const empty = decodeMessage(pb.LeaseRevokeRequest, new Uint8Array(0));
    expect(numberOf(empty.ID)).toBe(0);
    expect(bigintOf(empty.ID)).toBe(0n);
  });
});
