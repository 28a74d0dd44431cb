import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectEveryCutRefused, expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { commandEnvelope } from '../../test/support/command-arbitraries.js';
import { errorCodes } from '../shared/errors.js';
import { zabtree } from './generated/protocol.js';
import { readFrame } from './native-frame-decoder.js';
import { writeFrameBody } from './native-frame-encoder.js';
import { encodePreface, frameOf } from './native-framing.js';
import type { NativeFrame, NativeRequest } from './native-messages.js';
import { readRequest, writeRequest } from './native-request-codec.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';

const number = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(0, 127, 128, 2 ** 28, 2 ** 32, 2 ** 53 - 1));
const positive = number.map((value) => value || 1);
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: 'grapheme', maxLength: 60 });
const lease = fc.oneof(fc.constant(0n), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));

const range = fc.oneof(
  fc.record({ type: fc.constant('single'), key: bytes }),
  fc.record({ type: fc.constant('prefix'), prefix: bytes }),
  fc.record({ type: fc.constant('range'), from: bytes, to: fc.option(bytes, { nil: undefined }) }),
);

const requestBody = fc.oneof(
  fc.record({ type: fc.constant('write'), envelope: commandEnvelope }),
  fc.record({ type: fc.constant('get'), key: bytes, local: fc.boolean(), seen: number }),
  fc.record({
    type: fc.constant('list'),
    range,
    page: bytes,
    limit: fc.nat(2 ** 31),
    revision: number,
    keysOnly: fc.boolean(),
    local: fc.boolean(),
    seen: number,
  }),
  fc.record({ type: fc.constant('watch'), range, fromRevision: number, withInitial: fc.boolean(), seen: number }),
  fc.record({ type: fc.constant('cancelWatch'), watch: number }),
  fc.record({ type: fc.constant('broadcast'), payload: bytes }),
  fc.record({ type: fc.constant('authenticate'), user: text, password: text }),
  fc.record({ type: fc.constant('listLeases'), local: fc.boolean(), seen: number }),
  fc.record({ type: fc.constant('readSnapshot'), snapshot: number }),
  fc.constantFrom(
    ...['subscribeBroadcasts', 'unsubscribeBroadcasts', 'status', 'digest', 'digestAll', 'openSnapshot'].map(
      (type) => ({ type }),
    ),
  ),
);

const request = fc.record({
  id: positive,
  timeoutMs: fc.nat(2 ** 31),
  body: requestBody,
}) as fc.Arbitrary<unknown> as fc.Arbitrary<NativeRequest>;

const record = fc.record({
  key: bytes,
  value: bytes,
  createRevision: number,
  modRevision: number,
  version: number,
  lease,
});
const records = fc.array(record, { maxLength: 6 });
const digest = fc.record({ id: number, zxid: number, revision: number, digest: text });
const event = fc.oneof(
  record.map((put) => ({ type: 'put', key: put.key, modRevision: put.modRevision, record: put })),
  fc.record({ type: fc.constant('delete'), key: bytes, modRevision: number, record: fc.constant(undefined) }),
);
const member = fc.record({ id: number, electionAddr: text, messageAddr: text, requestAddr: text });
const status = fc.record({
  id: number,
  ensembleId: text,
  role: fc.constantFrom('looking', 'follower', 'leader'),
  epoch: fc.nat(2 ** 21 - 1),
  leader: number,
  serving: fc.boolean(),
  compactedRevision: number,
  members: fc.array(member, { maxLength: 3 }),
});
const uint32 = fc.nat(2 ** 31);

const payload = fc.oneof(
  fc.constant({ type: 'none' }),
  fc.record({
    type: fc.constant('hello'),
    protocolVersion: uint32,
    serverId: number,
    frameBytesMax: uint32,
    keyBytesMax: uint32,
    valueBytesMax: uint32,
    requestsInFlightMax: uint32,
  }),
  fc.record({ type: fc.constant('record'), record }),
  fc.record({ type: fc.constant('list'), records, next: bytes }),
  fc.record({ type: fc.constant('status'), status }),
  fc.record({ type: fc.constant('digest'), digest }),
  fc.record({ type: fc.constant('digestAll'), digests: fc.array(digest, { maxLength: 3 }) }),
  fc.record({ type: fc.constant('watchEvents'), events: fc.array(event, { maxLength: 6 }), more: fc.boolean() }),
  fc.record({ type: fc.constant('watchInitial'), records, last: fc.boolean() }),
  fc.constant({ type: 'watchEnded' }),
  fc.record({ type: fc.constant('broadcast'), payload: bytes }),
  fc.record({ type: fc.constant('snapshot'), snapshot: number, bytes, last: fc.boolean() }),
  fc.record({
    type: fc.constant('leases'),
    ids: fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 6 }),
  }),
);

const leaseFields = { id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), ttlSeconds: fc.integer() };
const output = fc.oneof(
  fc.record({ type: fc.constant('leaseGrant'), ...leaseFields }),
  fc.record({ type: fc.constant('leaseKeepAlive'), ...leaseFields }),
  fc.record({
    type: fc.constant('leaseTimeToLive'),
    ...leaseFields,
    grantedSeconds: fc.nat(),
    keys: fc.array(bytes, { maxLength: 3 }),
  }),
);

const frame = fc.record(
  {
    id: number,
    code: fc.constantFrom('OK', ...errorCodes),
    message: text,
    zxid: number,
    revision: number,
    payload,
    output,
  },
  { requiredKeys: ['id', 'code', 'message', 'zxid', 'revision', 'payload'] },
) as fc.Arbitrary<unknown> as fc.Arbitrary<NativeFrame>;

function encodeRequest(value: NativeRequest): Uint8Array {
  const writer = new ProtoWriter(16);
  writeRequest(writer, value);
  return writer.finish();
}

function encodeFrame(value: NativeFrame): Uint8Array {
  const writer = new ProtoWriter(16);
  writeFrameBody(writer, value);
  return writer.finish();
}

const decodeRequest = (body: Uint8Array): unknown => readRequest(new ProtoReader(body));
const decodeFrame = (body: Uint8Array): NativeFrame => readFrame(new ProtoReader(body));
const { Request: GeneratedRequest, Frame: GeneratedFrame } = zabtree.native;

const sampleRecord = {
  key: Uint8Array.of(1, 2, 3),
  value: new Uint8Array(300).fill(9),
  createRevision: 5,
  modRevision: 2 ** 40,
  version: 3,
  lease: -1n,
};

describe('the example of docs/reference/native-protocol.md', () => {
  const page = readFileSync(new URL('../../docs/reference/native-protocol.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```\n((?:[0-9A-F]{2}\s+)+)```/g)].map((match) =>
    Uint8Array.from((match[1] ?? '').trim().split(/\s+/), (byte) => Number.parseInt(byte, 16)),
  );

  it('is what the code sends', () => {
    const get = { id: 7, timeoutMs: 0, body: { type: 'get', key: Uint8Array.of(0x61), local: true, seen: 0 } };
    const asked = Uint8Array.of(...encodePreface(), ...frameOf(encodeRequest(get as unknown as NativeRequest)));
    const record = {
      ...{ key: Uint8Array.of(0x61), value: Uint8Array.of(0x31) },
      ...{ createRevision: 2, modRevision: 2, version: 1, lease: 0n },
    };
    const got = { id: 7, code: 'OK', message: '', zxid: 2 ** 32 + 1, revision: 2, payload: { type: 'record', record } };
    const answered = frameOf(encodeFrame(got as unknown as NativeFrame));
    expect(examples).toEqual([asked, answered]);
  });
});

describe('native request codec', () => {
  it('readRequest() gives back what writeRequest() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(request, (value) => {
        const encoded = encodeRequest(value);
        expect(decodeRequest(encoded)).toEqual(value);
        expect(Buffer.compare(encoded, GeneratedRequest.encode(GeneratedRequest.decode(encoded)).finish())).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('reads what protobufjs wrote, field for field', () => {
    const range = { from: Uint8Array.of(1), to: new Uint8Array(0) };
    const encoded = GeneratedRequest.encode({
      id: 7,
      timeoutMs: 5,
      list: { range, page: Uint8Array.of(2), limit: 3, revision: 4, keysOnly: true, local: true, seen: 9 },
    }).finish();
    expect(decodeRequest(new Uint8Array(encoded))).toEqual({
      id: 7,
      timeoutMs: 5,
      body: {
        type: 'list',
        range: { type: 'range', from: Uint8Array.of(1), to: new Uint8Array(0) },
        page: Uint8Array.of(2),
        limit: 3,
        revision: 4,
        keysOnly: true,
        local: true,
        seen: 9,
      },
    });
  });

  it('readRequest() reads a request of a kind that is not known as unknown, with its id', () => {
    expect(decodeRequest(Uint8Array.of(8, 5, 0xa2, 1, 1, 0))).toEqual({
      id: 5,
      timeoutMs: 0,
      body: { type: 'unknown' },
    });
  });

  it('readRequest() refuses a request without an id, and numbers that are not exact', () => {
    expect(() => decodeRequest(Uint8Array.of(0x5a, 0))).toThrow(/no id/);
    expect(() => decodeRequest(Uint8Array.of(8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f))).toThrow(
      /2\^53/,
    );
    expect(() => decodeRequest(new Uint8Array(30).fill(0xff))).toThrow(/10 bytes/);
  });

  it('readRequest() refuses a cut anywhere inside the request', () => {
    const value = {
      id: 300,
      timeoutMs: 0,
      body: { type: 'get', key: new Uint8Array(200), local: true, seen: 2 ** 40 },
    };
    const encoded = encodeRequest(value as unknown as NativeRequest);
    // Cut behind the id alone it is a request of an unknown kind.
    expectEveryCutRefused(encoded.subarray(4), (rest) =>
      decodeRequest(Uint8Array.of(...encoded.subarray(0, 4), ...rest)),
    );
  });

  it('readRequest() of changed or random bytes throws WireError or gives a request, never anything else', () => {
    expectOnlyWireErrors(request.map(encodeRequest), decodeRequest);
  });
});

describe('native frame codec', () => {
  it('readFrame() gives back what writeFrame() took, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(frame, (value) => {
        const encoded = encodeFrame(value);
        expect(decodeFrame(encoded)).toEqual(value);
        expect(Buffer.compare(encoded, GeneratedFrame.encode(GeneratedFrame.decode(encoded)).finish())).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps all 64 bits of a lease, and payloads whose length takes several bytes', () => {
    const value = {
      ...{ id: 1, code: 'OK', message: '', zxid: 2, revision: 3 },
      payload: { type: 'list', records: Array.from({ length: 100 }, () => sampleRecord), next: Uint8Array.of(1) },
    } as unknown as NativeFrame;
    const encoded = encodeFrame(value);
    const theirs = GeneratedFrame.decode(encoded);
    expect(theirs.list?.records?.length).toBe(100);
    expect(String(theirs.list?.records?.[99]?.lease)).toBe('-1');
    expect(decodeFrame(encoded)).toEqual(value);
  });

  it('readFrame() refuses a cut anywhere inside a record', () => {
    const value = {
      id: 0,
      code: 'OK',
      message: '',
      zxid: 0,
      revision: 0,
      payload: { type: 'record', record: sampleRecord },
    };
    const encoded = encodeFrame(value as unknown as NativeFrame);
    for (let length = 1; length < encoded.length; length++) {
      expect(() => decodeFrame(encoded.subarray(0, length))).toThrow();
    }
  });

  it('readFrame() of changed or random bytes throws WireError or gives a frame, never anything else', () => {
    expectOnlyWireErrors(frame.map(encodeFrame), decodeFrame);
  });
});
