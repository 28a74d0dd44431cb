// Calls that wait, for room or until their answers are read: they go on where they were, and others go on meanwhile.

import { expect, it } from 'vitest';
import { until } from '../../../../test/support/client-port-bench.js';
import { openGrpcPort } from '../../../../test/support/grpc-port-bench.js';
import {
  endStream,
  frame,
  frameTypes,
  messagePrefix,
  openCall,
  type RawHttp2,
  windowSettings,
} from '../../../../test/support/raw-http2.js';
import { grpcStatus } from './grpc-status.js';
import { MessageSplitter } from './message-splitter.js';

function message(stream: number, bytes: number, flags = 0): Buffer {
  return frame(frameTypes.data, flags, stream, Buffer.concat([messagePrefix(bytes), Buffer.alloc(bytes, 'abc')]));
}

function dataOf(raw: RawHttp2, stream: number): number {
  return raw.of(stream).reduce((sum, { type, payload }) => sum + (type === frameTypes.data ? payload.length : 0), 0);
}

it('a call that waited before anything had come of it reads on afterwards', async () => {
  const { bench, raw: connect } = await openGrpcPort({ grpcConnectionQueueBytesMax: 10_000 });
  const raw = connect();
  raw.begin(windowSettings(0), openCall(1, '/test.Echo/Unary'), message(1, 12_000, endStream));
  await until(() => bench.port.heldBytes > 10_000);
  raw.write(openCall(3, '/test.Echo/Stream'));
  await until(() => bench.port.callCount === 2);
  raw.write(windowSettings(1_000_000));
  await until(() => dataOf(raw, 1) === 12_005);
  raw.write(message(3, 16_000), message(3, 16_000), message(3, 16_000));
  await until(() => raw.of(3).some(({ type }) => type === frameTypes.windowUpdate));
  await until(() => dataOf(raw, 3) === 3 * 16_005);
});

it('a stream whose answers are not read takes no more messages, however they come', async () => {
  const { bench, raw: connect } = await openGrpcPort({ grpcStreamQueueBytesMax: 1_000 });
  const raw = connect();
  raw.begin(windowSettings(0), openCall(1, '/test.Echo/Stream'), message(1, 2_000));
  await until(() => bench.port.heldBytes > 1_000);
  const received = (): number => bench.port.grpcCounts?.methods.get('/test.Echo/Stream')?.messagesReceived ?? 0;
  expect(received()).toBe(1);
  for (let count = 0; count < 5; count++) raw.write(message(1, 3));
  raw.write(frame(frameTypes.ping, 0, 0, Buffer.alloc(8)));
  await until(() => raw.frames.some(({ type }) => type === frameTypes.ping));
  expect(received()).toBe(1);
  raw.write(windowSettings(100_000), frame(frameTypes.data, endStream, 1));
  await until(() => raw.of(1).some(({ type, flags }) => type === frameTypes.headers && (flags & endStream) !== 0));
  expect(dataOf(raw, 1)).toBe(2_005 + 5 * 8);
  expect(received()).toBe(6);
});

it('many large messages on one connection wait for each other, not for their time to be over', async () => {
  const { bench, client: connect } = await openGrpcPort({ clientArrivalBytesTotalMax: 500_000 });
  const client = connect();
  const large = Buffer.alloc(150_000, 'large');
  // Each that waits has sent what its own window allows: together more than the window of the connection.
  const answers = await Promise.all(Array.from({ length: 90 }, () => client.unary('/test.Echo/Unary', large)));
  for (const answer of answers) expect(answer.equals(large)).toBe(true);
  await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
});

it('a call whose time is over by the clock of the server tells its method, and nothing is held', async () => {
  const { bench, test, raw: connect } = await openGrpcPort();
  const raw = connect();
  const timeout = { 'grpc-timeout': '60m' };
  // A stream whose answer waits for a window, and a call whose stream is closed by its answer.
  raw.begin(windowSettings(0), openCall(1, '/test.Echo/Stream', timeout), message(1, 2_000));
  raw.write(openCall(3, '/test.Echo/Hang', timeout), message(3, 10, endStream));
  await until(() => test.events.length === 2);
  expect(test.events).toEqual(['cancelled /test.Echo/Stream', 'cancelled /test.Echo/Hang']);
  expect(bench.port.heldBytes).toBe(2_005);
  raw.write(windowSettings(10_000));
  await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  expect(bench.port.grpcCounts?.methods.get('/test.Echo/Hang')?.handled[grpcStatus.deadlineExceeded]).toBe(1);
});

it('what comes byte by byte while nothing is taken is not copied byte by byte', () => {
  const messages: number[] = [];
  const host = {
    message: ({ length }: Uint8Array) => messages.push(length),
    begun: () => true,
    refused: () => undefined,
  };
  const splitter = new MessageSplitter(host, 100_000);
  splitter.stop();
  const sizes = new Set<number>();
  const bytes = Buffer.concat([messagePrefix(30_000), Buffer.alloc(30_000), messagePrefix(0), messagePrefix(10)]);
  for (const byte of bytes) {
    splitter.push(Buffer.of(byte));
    sizes.add(splitter.heldBytes);
  }
  expect(sizes.size).toBeLessThan(20);
  expect(splitter.heldBytes).toBeLessThan(2 * bytes.length);
  splitter.resume();
  splitter.push(Buffer.alloc(10));
  expect(messages).toEqual([30_000, 0, 10]);
  expect(splitter.heldBytes).toBe(0);
});
