import { describe, expect, it } from 'vitest';
import { InvariantError } from '../shared/assert.js';
import { zabtree } from './generated/protocol.js';
import { decodeGenerated, encodeGenerated } from './generated-codec.js';
import { safeInteger } from './id-fields.js';
import { WireError } from './protobuf/wire-error.js';

const { AckEpoch, Hello, MemberAddresses, SnapshotCredit, Truncate } = zabtree.peer;

const decodeCredit = (...bytes: number[]): unknown =>
  decodeGenerated(SnapshotCredit, 'a credit', Uint8Array.from(bytes)).chunks;
const decodeTruncate = (...bytes: number[]): number =>
  safeInteger(decodeGenerated(Truncate, 'a truncate', Uint8Array.from(bytes)).to);

describe('encodeGenerated()', () => {
  it('refuses numbers that the library would cut off or write as 0', () => {
    const encodeTo = (to: unknown): Uint8Array => encodeGenerated(Truncate, { to: to as number });
    for (const wrong of [5n, 2 ** 53, -1, 1.5, Number.NaN, '7', { low: 1, high: 2, unsigned: true }]) {
      expect(() => encodeTo(wrong), String(wrong)).toThrow(InvariantError);
    }
    expect([...encodeTo(Number.MAX_SAFE_INTEGER)]).toEqual([8, 255, 255, 255, 255, 255, 255, 255, 15]);
    for (const chunks of [2 ** 32, -1, 0.5]) {
      expect(() => encodeGenerated(SnapshotCredit, { chunks })).toThrow(InvariantError);
    }
    expect(() => encodeGenerated(Hello, { channel: [].indexOf('bulk' as never) })).toThrow(InvariantError);
  });

  it('writes half of a surrogate pair as U+FFFD, so that a reader takes the text', () => {
    const long = 'x'.repeat(200);
    for (const text of ['', long]) {
      const bytes = encodeGenerated(zabtree.peer.Refusal, { reason: `${text}\udc00` });
      expect(decodeGenerated(zabtree.peer.Refusal, 'a refusal', bytes).reason).toBe(`${text}\ufffd`);
    }
  });

  it('gives plain arrays, whose slice() copies', () => {
    expect(Buffer.isBuffer(encodeGenerated(Truncate, { to: 1 }))).toBe(false);
  });
});

describe('decodeGenerated()', () => {
  it('takes exact numbers alone', () => {
    expect(decodeCredit(8, 0xff, 0xff, 0xff, 0xff, 0x0f)).toBe(2 ** 32 - 1);
    expect(() => decodeCredit(8, 0x80, 0x80, 0x80, 0x80, 0x10)).toThrow(/2\^32/);
    expect(() => decodeCredit(8, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)).toThrow(WireError);
    expect(decodeTruncate(8, 255, 255, 255, 255, 255, 255, 255, 15)).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => decodeTruncate(8, 128, 128, 128, 128, 128, 128, 128, 16)).toThrow(/2\^53/);
    expect(() => decodeTruncate(8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)).toThrow(/2\^53/);
    expect(() => decodeTruncate(8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)).toThrow(WireError);
  });

  it('passes over unknown fields without keeping them, and refuses groups however deep', () => {
    const known = decodeGenerated(
      SnapshotCredit,
      'a credit',
      Uint8Array.of(0x7a, 2, 1, 2, 8, 5, 0x71, 1, 2, 3, 4, 5, 6, 7, 8),
    );
    expect({ ...known }).toEqual({ chunks: 5 });
    expect(() => decodeCredit(0x7b, 0x7c)).toThrow(/wire type 3 is not supported/);
    expect(() => decodeCredit(...Array.from({ length: 100_000 }, () => 0x7b))).toThrow(/wire type 3/);
    expect(() => decodeCredit(0x0c)).toThrow(/wire type 4/);
    expect(() => decodeCredit(0x0f, 1)).toThrow(WireError);
    expect(() => decodeCredit(0, 1)).toThrow(/field number 0/);
  });

  it('takes no memory by a told length', () => {
    const told = [0xff, 0xff, 0xff, 0xff, 0x07];
    const before = process.memoryUsage().arrayBuffers;
    // An unknown field, a string, bytes, and a message inside, each said to be 2 GB long.
    for (const tag of [0x7a, 0x32, 0x72, 0x52]) {
      expect(() => decodeGenerated(Hello, 'a hello', Uint8Array.of(tag, ...told, 1, 2, 3))).toThrow(WireError);
    }
    expect(() => decodeGenerated(AckEpoch, 'an ackEpoch', Uint8Array.of(0x22, ...told, 1))).toThrow(WireError);
    expect(() => decodeGenerated(AckEpoch, 'an ackEpoch', Uint8Array.of(0x22, 0xff, 0xff, 0xff, 0xff, 0xff))).toThrow(
      WireError,
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  it('stops at a bound on fields: two bytes could cost an object', () => {
    const flood = new Uint8Array(2 * 2 ** 20);
    for (let at = 0; at < flood.length; at += 2) flood[at] = 0x0a;
    expect(() => decodeGenerated(MemberAddresses, 'member addresses', flood)).toThrow(/more than 4096 fields/);
  });

  it('refuses text that is no UTF-8', () => {
    expect(() => decodeGenerated(zabtree.peer.Refusal, 'a refusal', Uint8Array.of(10, 1, 0xff))).toThrow(WireError);
    expect(() => decodeGenerated(zabtree.peer.Refusal, 'a refusal', Uint8Array.of(10, 3, 0xed, 0xa0, 0x80))).toThrow(
      WireError,
    );
  });

  it('gives bytes as views into the input, plain as the input is', () => {
    const frame = Uint8Array.of(10, 2, 7, 8);
    const { mac } = decodeGenerated(zabtree.peer.Proof, 'a proof', frame);
    expect(mac.buffer).toBe(frame.buffer);
    expect(Buffer.isBuffer(mac)).toBe(false);
  });
});
