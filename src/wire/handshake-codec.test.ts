import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { zabtree } from './generated/protocol.js';
import { decodeHandshake, encodeHandshake, type HandshakeMessage } from './handshake-codec.js';

const safe = fc.maxSafeNat();
const serverId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ minLength: 1, maxLength: 100 });

const message = fc.oneof(
  fc.record({
    type: fc.constant('hello'),
    version: fc.nat(100),
    group: fc.nat(100),
    serverId,
    targetId: serverId,
    incarnation: text,
    boot: safe,
    ensembleName: text,
    membershipHash: text,
    members: fc.array(text, { maxLength: 32 }),
    channel: fc.constantFrom('quorum', 'bulk', 'keys'),
    requestAddr: text,
    keyed: fc.boolean(),
    nonce: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  }),
  fc.record({
    type: fc.constant('proof'),
    mac: fc.uint8Array({ maxLength: 40 }),
    datagramKey: fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined }),
  }),
  fc.record({ type: fc.constant('refusal'), reason: text }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<HandshakeMessage>;

const Generated = zabtree.peer.HandshakeFrame;

describe('handshake codec', () => {
  it('decodeHandshake() gives back what encodeHandshake() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(message, (given) => {
        const frame = encodeHandshake(given);
        expect(decodeHandshake(frame)).toEqual(given);
        expect(Buffer.compare(frame, Generated.encode(Generated.decode(frame)).finish())).toBe(0);
      }),
    );
  });

  it('decodeHandshake() keeps control characters out of what goes to logs', () => {
    const frame = encodeHandshake({ type: 'refusal', reason: 'no\n\u001b[31mway' });
    expect(decodeHandshake(frame)).toEqual({ type: 'refusal', reason: 'no??[31mway' });
  });

  it('decodeHandshake() refuses strangers, long texts, long lists, wrong nonces and keys', () => {
    const hello = { magic: 0x7a616274, serverId: 1, targetId: 2, nonce: new Uint8Array(32) };
    const encode = (more: zabtree.peer.Hello.$Properties): Uint8Array =>
      Generated.encode({ hello: { ...hello, ...more } }).finish();
    expect(decodeHandshake(encode({})).type).toBe('hello');
    expect(() => decodeHandshake(Buffer.from('GET / HTTP/1.1\r\n\r\n'))).toThrow(/not a zabtree peer/);
    expect(() => decodeHandshake(new Uint8Array(0))).toThrow(/not a zabtree peer/);
    expect(() => decodeHandshake(encode({ magic: 1 }))).toThrow(/not a zabtree peer/);
    expect(() => decodeHandshake(encode({ serverId: 0 }))).toThrow(/server id is missing/);
    expect(() => decodeHandshake(encode({ nonce: new Uint8Array(31) }))).toThrow(/nonce/);
    expect(() => decodeHandshake(encode({ channel: 5 as zabtree.peer.Channel }))).toThrow(/channel/);
    expect(() => decodeHandshake(encode({ ensembleName: 'x'.repeat(301) }))).toThrow(/300 characters/);
    expect(() => decodeHandshake(encode({ members: Array.from({ length: 33 }, () => 'm') }))).toThrow(
      /too many members/,
    );
    const proof = Generated.encode({ proof: { datagramKey: new Uint8Array(31) } }).finish();
    expect(() => decodeHandshake(proof)).toThrow(/datagram key/);
  });

  it('decodeHandshake() of changed or random bytes throws WireError or gives a message, never anything else', () => {
    expectOnlyWireErrors(message.map(encodeHandshake), decodeHandshake);
  });
});
