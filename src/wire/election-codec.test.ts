import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { decodeElectionDatagram, type ElectionDatagram, encodeElectionDatagram } from './election-codec.js';
import { zabtree } from './generated/protocol.js';
import { WireError } from './protobuf/wire-error.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const serverId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const epoch = fc.nat(2 ** 21 - 1);
const token = fc.string({ maxLength: 64 });

const datagram = fc.record({
  group: fc.nat(2 ** 32 - 1),
  sender: serverId,
  incarnation: token,
  boot: safe,
  sequence: safe,
  membershipHash: token,
  message: fc.record({
    role: fc.constantFrom('looking', 'following', 'leading'),
    round: safe,
    vote: fc.record({ epoch, lastZxid: safe, serverId }),
    ensembleId: fc.option(fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex'))),
    currentEpoch: epoch,
    probation: fc.boolean(),
  }),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<ElectionDatagram>;

const Generated = zabtree.election.ElectionDatagram;

describe('election codec', () => {
  it('decodeElectionDatagram() gives back what encodeElectionDatagram() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(datagram, (given) => {
        const bytes = encodeElectionDatagram(given);
        expect(decodeElectionDatagram(bytes)).toEqual(given);
        expect(Buffer.compare(bytes, Generated.encode(Generated.decode(bytes)).finish())).toBe(0);
      }),
    );
  });

  it('encodeElectionDatagram() of the longest datagram leaves room for its tag in 1200 bytes', () => {
    const max = Number.MAX_SAFE_INTEGER;
    const message = {
      role: 'leading',
      round: max,
      vote: { epoch: 2 ** 21 - 1, lastZxid: max, serverId: max },
      ensembleId: 'ff'.repeat(16),
      currentEpoch: 2 ** 21 - 1,
      probation: true,
    };
    const text = '\u{10ffff}'.repeat(32);
    const longest = {
      group: 2 ** 32 - 1,
      sender: max,
      incarnation: text,
      boot: max,
      sequence: max,
      membershipHash: text,
      message,
    };
    expect(encodeElectionDatagram(longest as unknown as ElectionDatagram).length).toBeLessThan(1200 - 32);
  });

  it('decodeElectionDatagram() refuses other versions, missing fields, unknown roles and long texts', () => {
    const vote = { serverId: 1 };
    const encode = (fields: zabtree.election.ElectionDatagram.$Properties): Uint8Array =>
      Generated.encode({ version: 1, sender: 1, vote, ...fields }).finish();
    expect(decodeElectionDatagram(encode({})).message.vote.serverId).toBe(1);
    expect(() => decodeElectionDatagram(encode({ version: 2 }))).toThrow(/version is 2/);
    expect(() => decodeElectionDatagram(encode({ sender: 0 }))).toThrow(WireError);
    expect(() => decodeElectionDatagram(encode({ vote: {} }))).toThrow(/names no server/);
    expect(() => decodeElectionDatagram(encode({ role: 7 as zabtree.election.Role }))).toThrow(/role/);
    expect(() => decodeElectionDatagram(encode({ incarnation: 'x'.repeat(65) }))).toThrow(/64 characters/);
    expect(() => decodeElectionDatagram(encode({ currentEpoch: 2 ** 21 }))).toThrow(/greater than/);
  });

  it('decodeElectionDatagram() of changed, cut or random bytes throws WireError or gives a datagram, never anything else', () => {
    expectOnlyWireErrors(datagram.map(encodeElectionDatagram), decodeElectionDatagram);
    expectOnlyWireErrors(
      fc.tuple(datagram, fc.nat(99)).map(([given, percent]) => {
        const bytes = encodeElectionDatagram(given);
        return bytes.slice(0, 1 + Math.floor((bytes.length * percent) / 100));
      }),
      decodeElectionDatagram,
    );
  });
});
