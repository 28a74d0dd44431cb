import { expect, test } from 'vitest';
import type { ClientId, Zxid } from '../../shared/ids.js';
import { readRequest } from '../../wire/native-request-codec.js';
import { ProtoReader } from '../../wire/protobuf/proto-reader.js';
import { RequestTemplate, templateIdMax } from './request-template.js';

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

test('write() makes a set that the codec reads', () => {
  const template = new RequestTemplate({ kind: 'set', keyPrefix: 'bench/', valueBytes: 256, timeoutMs: 5_000 });
  const target = new Uint8Array(template.byteLength + 7);
  template.write(target, 7, 300, 123_456, 987_654_321);
  const request = readRequest(new ProtoReader(target, 7 + 4));
  expect(request.id).toBe(300);
  expect(request.timeoutMs).toBe(5_000);
  if (request.body.type !== 'write' || request.body.envelope.command.type !== 'set') throw new Error('not a set');
  const { key, value } = request.body.envelope.command;
  expect(text(key)).toBe('bench/000000123456');
  expect(text(value)).toBe(`000000987654321${'v'.repeat(241)}`);
  expect(new DataView(target.buffer).getUint32(7)).toBe(template.byteLength - 4);
});

test('identify() gives each write its own request number', () => {
  const identity = { client: 77 as ClientId, bornAt: 5 as Zxid };
  const template = new RequestTemplate({ kind: 'set', keyPrefix: 'k', valueBytes: 20, timeoutMs: 0, identity });
  const target = new Uint8Array(template.byteLength);
  template.write(target, 0, templateIdMax, 999_999_999_999, 1);
  template.identify(target, 0, 2_000_000_000_000, 1_999_999_999_000);
  const request = readRequest(new ProtoReader(target, 4));
  expect(request.id).toBe(templateIdMax);
  if (request.body.type !== 'write') throw new Error('not a write');
  expect(request.body.envelope.identity).toEqual({
    client: 77,
    bornAt: 5,
    request: 2_000_000_000_000,
    acknowledgedBelow: 1_999_999_999_000,
    repeated: false,
  });
});

test('write() makes reads, linearizable and local', () => {
  for (const kind of ['get', 'getLocal'] as const) {
    const template = new RequestTemplate({ kind, keyPrefix: 'k', valueBytes: 0, timeoutMs: 1 });
    const target = new Uint8Array(template.byteLength);
    template.write(target, 0, 1, 42, 0);
    const { body } = readRequest(new ProtoReader(target, 4));
    if (body.type !== 'get') throw new Error('not a get');
    expect(text(body.key)).toBe('k000000000042');
    expect(body.local).toBe(kind === 'getLocal');
  }
});
