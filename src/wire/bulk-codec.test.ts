import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatenated, expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { commandEnvelope, commandResult } from '../../test/support/command-arbitraries.js';
import { type GroupId, groupZero } from '../shared/ids.js';
import { decodeBulkMessage, encodeBulkMessage } from './bulk-codec.js';
import type { BulkMessage } from './bulk-messages.js';
import { zabtree } from './generated/protocol.js';

const safe = fc.oneof(fc.maxSafeNat(), fc.nat(300));
const serverId = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const ensembleId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((id) => Buffer.from(id).toString('hex'));
const bytes = fc.uint8Array({ maxLength: 500 });

const message = fc.oneof(
  fc.record({
    type: fc.constant('forward'),
    items: fc.array(fc.record({ id: safe, timeoutMs: fc.nat(2 ** 32 - 1), envelope: commandEnvelope }), {
      maxLength: 20,
    }),
  }),
  fc.record({
    type: fc.constant('forwardResult'),
    items: fc.array(fc.record({ id: safe, result: commandResult }), { maxLength: 20 }),
  }),
  fc.record({ type: fc.constantFrom('readPoint', 'broadcastDone'), id: safe }),
  fc.record({
    type: fc.constant('readPointResult'),
    id: safe,
    code: fc.constantFrom('OK', 'NO_QUORUM', 'INTERNAL'),
    zxid: safe,
  }),
  fc.record({ type: fc.constantFrom('snapshotRequest', 'snapshotEnd') }),
  fc.record({ type: fc.constant('snapshotBegin'), zxid: safe, ensembleId }),
  fc.record({ type: fc.constant('snapshotChunk'), bytes }),
  fc.record({ type: fc.constant('snapshotCredit'), chunks: fc.nat() }),
  fc.record({ type: fc.constant('snapshotInstalled'), zxid: safe }),
  fc.record({ type: fc.constant('broadcast'), id: safe, payload: bytes }),
  fc.record({ type: fc.constant('digestReport'), server: serverId, zxid: safe, revision: safe, digest: fc.string() }),
  fc.record({
    type: fc.constant('memberAddresses'),
    items: fc.array(fc.record({ server: serverId, requestAddr: fc.string({ unit: 'grapheme' }) }), { maxLength: 5 }),
  }),
) as fc.Arbitrary<unknown> as fc.Arbitrary<BulkMessage>;

const encode = (given: BulkMessage, group: GroupId = groupZero): Uint8Array =>
  concatenated(encodeBulkMessage(group, given));

describe('bulk codec', () => {
  it('decodeBulkMessage() gives back what encodeBulkMessage() took', () => {
    fc.assert(
      fc.property(fc.nat(1000), message, (group, given) => {
        expect(decodeBulkMessage(encode(given, group as GroupId))).toEqual({ group, message: given });
      }),
      { numRuns: 300 },
    );
  });

  it('encodeBulkMessage() writes byte for byte what protobufjs writes', () => {
    fc.assert(
      fc.property(message, (given) => {
        const frame = encode(given);
        const theirs = zabtree.peer.BulkFrame.encode(zabtree.peer.BulkFrame.decode(frame)).finish();
        expect(Buffer.compare(frame, theirs)).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('encodeBulkMessage() passes a snapshot chunk and a broadcast through without copying them', () => {
    const chunk = new Uint8Array(1000);
    expect(encodeBulkMessage(groupZero, { type: 'snapshotChunk', bytes: chunk })[1]).toBe(chunk);
    expect(encodeBulkMessage(groupZero, { type: 'broadcast', id: 1, payload: chunk })[1]).toBe(chunk);
  });

  it('decodeBulkMessage() refuses a frame cut at any length', () => {
    const sample = fc.sample(message, { seed: 1, numRuns: 40 });
    for (const given of sample) expectEveryCutRefused(encode(given), decodeBulkMessage);
  });

  it('decodeBulkMessage() refuses forwarded requests without a command and reports without a server', () => {
    const build = (fields: zabtree.peer.BulkFrame.$Properties): Uint8Array =>
      zabtree.peer.BulkFrame.encode({ version: 1, ...fields }).finish();
    expect(() => decodeBulkMessage(build({ forward: { items: [{ id: 1 }] } }))).toThrow(/no command/);
    expect(() => decodeBulkMessage(build({ forward: { items: [{ id: 1, envelope: {} }] } }))).toThrow(/no command/);
    expect(() => decodeBulkMessage(build({ forwardResult: { items: [{ id: 1 }] } }))).toThrow(/missing/);
    expect(() => decodeBulkMessage(build({ digestReport: { zxid: 1 } }))).toThrow(/no server/);
    expect(() => decodeBulkMessage(build({ snapshotBegin: { zxid: 1 } }))).toThrow(/no ensemble id/);
    expect(() => decodeBulkMessage(build({ version: 9, snapshotEnd: {} }))).toThrow(/protocol version is 9/);
  });

  it('decodeBulkMessage() of changed or random bytes throws WireError or gives a message, never anything else', () => {
    expectOnlyWireErrors(
      message.map((given) => encode(given)),
      decodeBulkMessage,
    );
  });
});
