// The first bytes of connections: URLs where an authority belongs, and clients that wait for the server's settings.

import { expect, it } from 'vitest';
import { until } from '../../../../test/support/client-port-bench.js';
import { openGrpcPort } from '../../../../test/support/grpc-port-bench.js';
import {
  endHeaders,
  endStream,
  frame,
  frameTypes,
  headerBlock,
  messagePrefix,
  preface,
  type RawHttp2,
  settings,
} from '../../../../test/support/raw-http2.js';
import type { Limits } from '../../../config/limits.js';

async function connected(overrides: Partial<Limits> = {}): Promise<RawHttp2> {
  return (await openGrpcPort(overrides)).raw();
}

const settingsTaken = frame(frameTypes.settings, 1, 0);

/** `:authority` as a literal under its index, as it is or in Huffman code. */
const authorities = {
  'http://127.0.0.1:2379': plain('http://127.0.0.1:2379'),
  'https://etcd.example:2379': plain('https://etcd.example:2379'),
  // As sent by etcdctl 3.4.
  'http://127.0.0.1:43281 in Huffman code': Buffer.from('41909d29aee30c044eae05c0b86e34c89e0f', 'hex'),
  // The same with "https".
  'https://127.0.0.1:43281 in Huffman code': Buffer.from('41919d29ad1718602275702e05c371a644f07f', 'hex'),
  'an authority as it should be': plain('127.0.0.1:2379'),
};

function plain(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x41, text.length]), Buffer.from(text)]);
}

function callWith(authority: Buffer): Buffer {
  const block = Buffer.concat([
    headerBlock({ ':method': 'POST', ':scheme': 'http', ':path': '/test.Echo/Unary' }),
    authority,
    headerBlock({ 'content-type': 'application/grpc', te: 'trailers' }),
  ]);
  const message = Buffer.concat([messagePrefix(2), Buffer.from('hi')]);
  return Buffer.concat([
    frame(frameTypes.headers, endHeaders, 1, block),
    frame(frameTypes.data, endStream, 1, message),
  ]);
}

async function isAnswered(raw: RawHttp2): Promise<void> {
  await until(() => raw.closed || raw.of(1).some(({ type }) => type === frameTypes.data || type === frameTypes.reset));
  const data = raw.of(1).find(({ type }) => type === frameTypes.data);
  expect(data?.payload.subarray(5).toString()).toBe('hi');
}

function settingsOf(raw: RawHttp2): number {
  return raw.frames.filter(({ type, flags }) => type === frameTypes.settings && (flags & 1) === 0).length;
}

it.each(Object.entries(authorities))('a client that waits for the settings is answered: %s', async (_, authority) => {
  const raw = await connected();
  raw.write(preface, settings());
  await until(() => settingsOf(raw) === 1);
  raw.write(settingsTaken, callWith(authority));
  await isAnswered(raw);
  expect(raw.closed).toBe(false);
});

it.each(Object.entries(authorities))('a client that calls at once is answered: %s', async (_, authority) => {
  const raw = await connected();
  raw.write(preface, settings(), callWith(authority));
  await isAnswered(raw);
  expect(settingsOf(raw)).toBe(1);
});

it('a client that waits is answered however its bytes are cut', async () => {
  const raw = await connected();
  for (const byte of Buffer.concat([preface, settings()])) raw.write(Buffer.of(byte));
  await until(() => settingsOf(raw) === 1);
  const rest = Buffer.concat([callWith(authorities['http://127.0.0.1:2379']), settingsTaken]);
  for (const byte of rest) raw.write(Buffer.of(byte));
  await isAnswered(raw);
});

it('a client may have the settings and call when it likes', async () => {
  const raw = await connected({ handshakeTimeoutMs: 100 });
  raw.write(preface, settings());
  await until(() => settingsOf(raw) === 1);
  raw.write(settingsTaken, frame(frameTypes.ping, 0, 0, Buffer.alloc(8, 7)));
  await until(() => raw.frames.some(({ type, flags }) => type === frameTypes.ping && flags === 1));
  raw.write(callWith(authorities['an authority as it should be']));
  await isAnswered(raw);
});

it('a client that pings before its first call gets its answer', async () => {
  const raw = await connected();
  raw.write(preface, settings(), frame(frameTypes.ping, 0, 0, Buffer.alloc(8, 7)));
  await until(() => raw.frames.some(({ type, flags }) => type === frameTypes.ping && flags === 1));
});

it('a client that never sends its settings is cut off', async () => {
  const raw = await connected({ handshakeTimeoutMs: 100 });
  raw.write(preface);
  await until(() => settingsOf(raw) === 1);
  await until(() => raw.closed);
});

it('a client that sends data of no call without end is cut off', async () => {
  const raw = await connected();
  raw.write(preface, settings());
  await until(() => settingsOf(raw) === 1);
  const flood = frame(frameTypes.data, 0, 1, Buffer.alloc(16_000));
  for (let count = 0; count < 20; count++) raw.write(flood);
  await until(() => raw.closed);
});
