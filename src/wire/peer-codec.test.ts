import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatenated, expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import type { EnsembleId, GroupId, Zxid } from '../shared/ids.js';
import type { PeerMessage } from '../zab/messages.js';
import { zabtree } from './generated/protocol.js';
import { decodePeerMessage, encodePeerMessage } from './peer-codec.js';
import { WireError } from './protobuf/wire-error.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const epoch = fc.nat(2 ** 21 - 1);
const ensembleId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex'));
const epochEnd = fc.record({ epoch, last: safe });
const proposal = fc
  .record({ epoch, counter: fc.integer({ min: 1, max: 2 ** 31 }), more: fc.nat(4000), committed: safe })
  .chain(({ epoch: of, counter, more, committed }) =>
    fc.uint8Array({ minLength: 1, maxLength: 500 }).map((body) => {
      const first = of * 2 ** 32 + counter;
      return { type: 'proposal', committed, batch: { first, last: first + more, body } };
    }),
  );

const message = fc.oneof(
  fc.record({
    type: fc.constant('followerInfo'),
    acceptedEpoch: epoch,
    currentEpoch: epoch,
    lastZxid: safe,
    ensembleId: fc.option(ensembleId),
    probation: fc.boolean(),
    seed: safe,
  }),
  fc.record({
    type: fc.constant('ackEpoch'),
    epoch,
    currentEpoch: epoch,
    lastZxid: safe,
    epochEnds: fc.array(epochEnd, { maxLength: 64 }),
    committed: safe,
  }),
  fc.record({ type: fc.constant('ackNewLeader'), epoch, durable: safe }),
  fc.record({ type: fc.constant('ack'), durable: safe }),
  fc.record({ type: fc.constant('pong'), nonce: safe }),
  fc.record({ type: fc.constantFrom('voterReady', 'newLeader'), epoch }),
  fc.record({
    type: fc.constant('leaderInfo'),
    epoch,
    ensembleId,
    admission: fc.constantFrom('voter', 'forming', 'joining', 'returning'),
    seed: safe,
  }),
  fc.record({ type: fc.constant('truncate'), to: safe }),
  fc.record({ type: fc.constant('snapshot') }),
  proposal,
  fc.record({ type: fc.constantFrom('upToDate', 'commit'), committed: safe }),
  fc.record({ type: fc.constant('ping'), nonce: safe, committed: safe }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<PeerMessage>;

const group = fc.nat(2 ** 32 - 1) as fc.Arbitrary<number> as fc.Arbitrary<GroupId>;
const groupOne = 1 as GroupId;

describe('peer codec', () => {
  it('decodePeerMessage() gives back what encodePeerMessage() took', () => {
    fc.assert(
      fc.property(group, message, (of, given) => {
        expect(decodePeerMessage(concatenated(encodePeerMessage(of, given)))).toEqual({ group: of, message: given });
      }),
    );
  });

  it('encodePeerMessage() writes byte for byte what protobufjs writes', () => {
    fc.assert(
      fc.property(group, message, (of, given) => {
        const frame = concatenated(encodePeerMessage(of, given));
        const theirs = zabtree.peer.PeerFrame.encode(zabtree.peer.PeerFrame.decode(frame)).finish();
        expect(Buffer.compare(frame, theirs)).toBe(0);
      }),
    );
  });

  it('encodePeerMessage() passes the body of a proposal through without copying it', () => {
    const body = new Uint8Array(100_000).fill(3);
    const batch = { first: (2 ** 32 + 1) as Zxid, last: (2 ** 32 + 9) as Zxid, body };
    const chunks = encodePeerMessage(groupOne, { type: 'proposal', batch, committed: 0 as Zxid });
    expect(chunks[1]).toBe(body);
    const frame = concatenated(chunks);
    const decoded = decodePeerMessage(frame).message;
    expect(decoded.type === 'proposal' && decoded.batch.body.buffer === frame.buffer).toBe(true);
  });

  it('decodePeerMessage() refuses a frame cut at any length', () => {
    const ensemble = '00ff'.repeat(8) as EnsembleId;
    const given = {
      type: 'leaderInfo',
      epoch: 300,
      ensembleId: ensemble,
      admission: 'joining',
      seed: 5,
    } as PeerMessage;
    expectEveryCutRefused(concatenated(encodePeerMessage(groupOne, given)), decodePeerMessage);
    const batch = { first: (2 ** 32 + 1) as Zxid, last: (2 ** 32 + 9) as Zxid, body: new Uint8Array(300) };
    const sent = concatenated(encodePeerMessage(groupOne, { type: 'proposal', batch, committed: 5 as Zxid }));
    expectEveryCutRefused(sent, decodePeerMessage);
  });

  it('decodePeerMessage() refuses other versions, unknown messages, impossible ids and too many epoch ends', () => {
    const encode = (fields: zabtree.peer.PeerFrame.$Properties): Uint8Array =>
      zabtree.peer.PeerFrame.encode({ version: 1, ...fields }).finish();
    expect(() => decodePeerMessage(encode({ version: 2, ack: {} }))).toThrow(/protocol version is 2, expected 1/);
    expect(() => decodePeerMessage(encode({}))).toThrow(/no message/);
    expect(() => decodePeerMessage(Uint8Array.of(8, 1, 0xfa, 1, 0))).toThrow(/message 31 is not known/);
    expect(() => decodePeerMessage(encode({ leaderInfo: { ensembleId: new Uint8Array(15) } }))).toThrow(/15 bytes/);
    expect(() => decodePeerMessage(encode({ leaderInfo: {} }))).toThrow(/no ensemble id/);
    expect(() => decodePeerMessage(encode({ newLeader: { epoch: 2 ** 21 } }))).toThrow(/greater than/);
    const body = new Uint8Array(1);
    expect(() => decodePeerMessage(encode({ proposal: { first: 9, last: 8, body } }))).toThrow(/no range/);
    expect(() => decodePeerMessage(encode({ proposal: { first: 9, last: 2 ** 32 + 8, body } }))).toThrow(/no range/);
    expect(() => decodePeerMessage(encode({ proposal: { first: 9, last: 9 } }))).toThrow(/no body/);
    const epochEnds = Array.from({ length: 65 }, (_, last) => ({ epoch: 1, last }));
    expect(() => decodePeerMessage(encode({ ackEpoch: { epochEnds } }))).toThrow(/more than 64/);
    const twice = new Uint8Array([...encode({ ack: {} }), 0x32, 0]);
    expect(() => decodePeerMessage(twice)).toThrow(WireError);
  });

  it('decodePeerMessage() passes over fields that a newer member added', () => {
    expect(decodePeerMessage(Uint8Array.of(8, 1, 0x32, 4, 8, 5, 0x78, 9)).message).toEqual({ type: 'ack', durable: 5 });
  });

  it('decodePeerMessage() of changed or random bytes throws WireError or gives a message, never anything else', () => {
    expectOnlyWireErrors(
      message.map((given) => concatenated(encodePeerMessage(groupOne, given))),
      decodePeerMessage,
    );
  });
});
