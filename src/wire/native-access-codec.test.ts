// Changes of access control, questions about it and answers: round trips, byte-equal to protobufjs, and hostile bytes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyWireErrors } from '../../test/support/codec-checks.js';
import { Secret } from '../shared/secret.js';
import { utf8Bytes } from '../shared/utf8.js';
import { zabtree } from './generated/protocol.js';
import { readFrame } from './native-frame-decoder.js';
import { writeFrameBody } from './native-frame-encoder.js';
import type { NativeFrame, NativeRequest, NativeRequestBody } from './native-messages.js';
import { readRequest, writeRequest } from './native-request-codec.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';

const bytes = fc.uint8Array({ maxLength: 40 });
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const secret = text.map((of) => new Secret(utf8Bytes(of)));
const permission = fc.record({ type: fc.constantFrom('read', 'write', 'readwrite'), key: bytes, rangeEnd: bytes });

const change = fc.oneof(
  fc.constant({ type: 'enable', tokenSecret: new Secret(new Uint8Array(0)) }),
  fc.constant({ type: 'disable' }),
  fc.record({ type: fc.constant('userAdd'), user: text, password: secret, noPassword: fc.boolean() }),
  fc.record({ type: fc.constantFrom('userDelete'), user: text }),
  fc.record({ type: fc.constant('userChangePassword'), user: text, password: secret }),
  fc.record({ type: fc.constantFrom('userGrantRole', 'userRevokeRole'), user: text, role: text }),
  fc.record({ type: fc.constantFrom('roleAdd', 'roleDelete'), role: text }),
  fc.record({ type: fc.constant('roleGrantPermission'), role: text, permission }),
  fc.record({ type: fc.constant('roleRevokePermission'), role: text, key: bytes, rangeEnd: bytes }),
);
const identity = fc.record({
  client: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  request: fc.integer({ min: 1, max: 2 ** 40 }),
  acknowledgedBelow: fc.nat(),
  bornAt: fc.maxSafeNat(),
  repeated: fc.boolean(),
});
const question = fc.oneof(
  fc.record({ type: fc.constantFrom('status', 'users', 'roles') }),
  fc.record({ type: fc.constantFrom('rolesOfUser', 'permissionsOfRole'), name: text }),
);
const request = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 40 }),
  timeoutMs: fc.nat(),
  body: fc.oneof(
    fc.record({ type: fc.constant('changeAccess'), change, identity: fc.option(identity, { nil: undefined }) }),
    fc.record({ type: fc.constant('askAccess'), question }),
  ),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<NativeRequest>;

const frame = fc.record({
  id: fc.nat(),
  code: fc.constant('OK'),
  message: text,
  zxid: fc.maxSafeNat(),
  revision: fc.maxSafeNat(),
  payload: fc.record({
    type: fc.constant('access'),
    enabled: fc.boolean(),
    accessRevision: fc.maxSafeNat(),
    names: fc.array(text, { maxLength: 5 }),
    permissions: fc.array(permission, { maxLength: 5 }),
  }),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<NativeFrame>;

function encode(value: NativeRequest): Uint8Array {
  const writer = new ProtoWriter(16);
  writeRequest(writer, value);
  return writer.finish();
}

function encodeFrame(value: NativeFrame): Uint8Array {
  const writer = new ProtoWriter(16);
  writeFrameBody(writer, value);
  return writer.finish();
}

const decode = (of: Uint8Array): ReturnType<typeof readRequest> => readRequest(new ProtoReader(of));
const decodeFrame = (of: Uint8Array): NativeFrame => readFrame(new ProtoReader(of));
const { Request: GeneratedRequest, Frame: GeneratedFrame } = zabtree.native;

/** Secrets are equal to each other unless they are looked into. */
function passwordOf(body: NativeRequestBody | { readonly type: 'unknown' }): string | undefined {
  if (body.type !== 'changeAccess' || !('password' in body.change)) return undefined;
  return Buffer.from(body.change.password.reveal()).toString();
}

describe('native access codec', () => {
  it('gives back requests, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(request, (value) => {
        const encoded = encode(value);
        expect(decode(encoded)).toEqual(value);
        expect(passwordOf(decode(encoded).body)).toBe(passwordOf(value.body));
        expect(Buffer.compare(encoded, GeneratedRequest.encode(GeneratedRequest.decode(encoded)).finish())).toBe(0);
      }),
    );
  });

  it('gives back answers, byte-equal to protobufjs', () => {
    fc.assert(
      fc.property(frame, (value) => {
        const encoded = encodeFrame(value);
        expect(decodeFrame(encoded)).toEqual(value);
        expect(Buffer.compare(encoded, GeneratedFrame.encode(GeneratedFrame.decode(encoded)).finish())).toBe(0);
      }),
    );
  });

  it('refuses a secret of tokens, a change that is none, and what it does not understand of one', () => {
    const inner = (...changed: number[]): Uint8Array => Uint8Array.of(8, 1, 0x7a, changed.length, ...changed);
    expect(() => decode(inner(0x0a, 5, 0x0a, 3, 0x0a, 1, 9))).toThrow(/not chosen by clients/);
    expect(() => decode(inner())).toThrow(/there is none/);
    expect(() => decode(inner(0x0a, 0))).toThrow(/it is empty/);
    expect(() => decode(inner(0x1a, 0))).toThrow(/unknown field 3/);
    expect(() => decode(inner(0x0a, 4, 0x12, 2, 0x08, 1))).toThrow(/unknown field 1/);
    expect(() => decode(Uint8Array.of(8, 1, 0x82, 1, 0))).toThrow(/there is none/);
  });

  it('throws WireError for changed or random bytes, never anything else', () => {
    expectOnlyWireErrors(request.map(encode), decode);
    expectOnlyWireErrors(frame.map(encodeFrame), decodeFrame);
  });
});
