// What no gRPC client would send: it ends at most its own connection, and costs a bounded amount.

import { describe, expect, it } from 'vitest';
import { until } from '../../../../test/support/client-port-bench.js';
import { type GrpcPortBench, openGrpcPort } from '../../../../test/support/grpc-port-bench.js';
import { answer } from '../../../../test/support/grpc-test-methods.js';
import {
  callHeaders,
  endHeaders,
  endStream,
  frame,
  frameTypes,
  headerBlock,
  messagePrefix,
  openCall,
  preface,
  type RawHttp2,
  settings,
} from '../../../../test/support/raw-http2.js';
import type { Limits } from '../../../config/limits.js';

interface Setup extends GrpcPortBench {
  /** Another client's call. */
  readonly witness: () => Promise<void>;
}

async function setup(overrides: Partial<Limits> = {}): Promise<Setup> {
  const opened = await openGrpcPort({ grpcSilenceMsMax: 400, ...overrides });
  const client = opened.client();
  return {
    ...opened,
    witness: async () => expect(String(await client.unary('/test.Echo/Unary', 'still here'))).toBe('still here'),
  };
}

function textOf(raw: RawHttp2, stream: number): string {
  return Buffer.concat(raw.of(stream).map(({ payload }) => payload)).toString('latin1');
}

function isOver(raw: RawHttp2, stream: number): boolean {
  return raw
    .of(stream)
    .some(({ type, flags }) => type === frameTypes.reset || (type <= 1 && (flags & endStream) !== 0));
}

describe('a connection', () => {
  it('that begins like HTTP/2 and goes on otherwise, or not at all, is closed', async () => {
    const { bench, raw, witness } = await setup({ handshakeTimeoutMs: 100 });
    const beginnings = [
      'P',
      'PR',
      'PRI',
      'PRI ',
      'PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n',
    ];
    const connections = beginnings.map((text) => raw().write(Buffer.from(text)));
    connections.push(raw().write(preface));
    await until(() => connections.every(({ closed }) => closed));
    await witness();
    await until(() => bench.port.connectionCount === 1);
  });

  it('whose preface comes a byte at a time is one', async () => {
    const { raw } = await setup();
    const connection = raw();
    const bytes = Buffer.concat([preface, settings(), openCall(1, '/test.Other/X')]);
    for (const byte of bytes) await new Promise((resolve) => connection.socket.write(Buffer.from([byte]), resolve));
    await until(() => isOver(connection, 1));
  });

  const hostile: Readonly<Record<string, readonly Buffer[]>> = {
    'frames of the connection on streams, and the reverse': [
      frame(frameTypes.data, 0, 0, Buffer.from('x')),
      frame(frameTypes.settings, 0, 1),
      frame(frameTypes.ping, 0, 3, Buffer.alloc(8)),
    ],
    'frames of wrong sizes': [
      frame(frameTypes.ping, 0, 0, Buffer.alloc(7)),
      frame(frameTypes.windowUpdate, 0, 0, Buffer.alloc(3)),
      frame(frameTypes.reset, 0, 1, Buffer.alloc(3)),
    ],
    'settings that are not allowed': [settings([2, 7]), settings([4, 2 ** 31]), settings([5, 1])],
    'windows that overflow': [
      frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
      frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    ],
    'headers that are none': [frame(frameTypes.headers, endHeaders, 1, Buffer.alloc(100, 0xff))],
    'headers on a stream of the server': [openCall(2, '/test.Echo/Unary')],
    promises: [frame(frameTypes.push, endHeaders, 1, Buffer.alloc(10))],
    'continuations of nothing': [frame(frameTypes.continuation, endHeaders, 1, Buffer.alloc(10))],
    'a frame larger than allowed': [frame(frameTypes.data, 0, 1, Buffer.alloc(20_000))],
    'a request of HTTP/1.1': [Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  };

  it.each(Object.entries(hostile))('with %s is closed and hurts nobody else', async (_, frames) => {
    const { bench, raw, witness } = await setup();
    for (const one of frames) {
      const connection = raw().begin(one);
      await witness();
      await until(() => connection.closed);
    }
    await until(() => bench.port.connectionCount === 1 && bench.port.callCount === 0);
  });

  it('with types that nobody knows, or goaway with an error, goes on', async () => {
    const { raw } = await setup();
    const connection = raw().begin(
      frame(77, 3, 5, Buffer.alloc(30)),
      frame(frameTypes.goAway, 0, 0, Buffer.from([0, 0, 0, 0, 0, 0, 0, 9])),
      openCall(1, '/test.Other/X'),
    );
    await until(() => isOver(connection, 1));
    expect(connection.closed).toBe(false);
  });

  it('that answers no ping is closed, and one that does stays', async () => {
    const { bench, raw, witness } = await setup();
    await witness();
    // Settings that are not empty: it does not wait for the server's before its first call.
    const silent = raw().write(preface, settings([3, 100]));
    await until(() => silent.frames.some(({ type }) => type === frameTypes.ping));
    await until(() => silent.closed);
    expect(bench.port.connectionCount).toBe(1);
  });

  it('with random frames hurts nobody else', async () => {
    const { bench, raw, witness } = await setup();
    let state = 12_345;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      return state % below;
    };
    for (let round = 0; round < 60; round++) {
      const connection = raw().begin(openCall(1, '/test.Echo/Stream'));
      for (let count = 0; count < 20; count++) {
        const payload = Buffer.from(Array.from({ length: random(60) }, () => random(256)));
        connection.write(frame(random(11), random(256), random(6), payload));
      }
      connection.socket.end();
    }
    await witness();
    await until(() => bench.port.connectionCount === 1 && bench.port.callCount === 0);
    expect(bench.port.heldBytes).toBe(0);
  });

  it('with endless headers is cut off', async () => {
    const { bench, raw, witness } = await setup();
    const long = raw().begin(openCall(1, '/test.Echo/Unary', { token: 'x'.repeat(16_000) }));
    const [first, ...rest] = Array.from({ length: 100 }, () => headerBlock({ token: 'y'.repeat(10_000) }));
    const endless = raw().begin(
      frame(frameTypes.headers, 0, 1, first),
      ...rest.map((block) => frame(frameTypes.continuation, 0, 1, block)),
    );
    await until(() => (long.closed || isOver(long, 1)) && endless.closed);
    await witness();
    expect(bench.port.callCount).toBe(0);
  });

  it('that opens and resets calls as fast as it can is cut off', async () => {
    const { bench, raw, test, witness } = await setup();
    const connection = raw().begin();
    const calls: Buffer[] = [];
    for (let stream = 1; stream < 20_000; stream += 2) {
      calls.push(openCall(stream, '/test.Echo/Listen'), frame(frameTypes.reset, 0, stream, Buffer.from([0, 0, 0, 8])));
    }
    connection.write(...calls);
    await until(() => connection.closed);
    await witness();
    await until(() => bench.port.callCount === 0 && bench.port.connectionCount === 1);
    // As many as may be reset in a burst, not all of them.
    expect(test.calls.length).toBeLessThan(3_000);
  });

  it('that floods with pings and settings without reading is cut off, or holds nothing', async () => {
    const { bench, raw, witness } = await setup();
    const connection = raw().begin();
    connection.socket.pause();
    const flood = Buffer.concat(
      Array.from({ length: 2_000 }, () => [frame(frameTypes.ping, 0, 0, Buffer.alloc(8)), settings([3, 100])]).flat(),
    );
    let written = 0;
    // Reading stops, or the connection does: either way no more is taken.
    while (written < 400 && !connection.closed && connection.socket.write(flood)) {
      written++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await witness();
    connection.socket.destroy();
    await until(() => bench.port.connectionCount === 1);
  });
});

describe('a call', () => {
  it('that is no gRPC gets the status of HTTP', async () => {
    const { raw } = await setup();
    const connection = raw().begin(
      openCall(1, '/test.Echo/Unary', { 'content-type': 'application/json' }),
      frame(frameTypes.headers, endHeaders, 3, headerBlock({ ...callHeaders('/test.Echo/Unary'), ':method': 'PUT' })),
      openCall(5, '/test.Echo/Unary', { 'grpc-timeout': '10 s' }),
      openCall(7, '/test.Echo/Unary', { 'grpc-encoding': 'gzip' }),
      openCall(9, '/test.Echo/Unary', { 'content-type': 'application/grpcx' }),
    );
    await until(() => [1, 3, 5, 7, 9].every((stream) => isOver(connection, stream)));
    expect(connection.closed).toBe(false);
  });

  it('with an oversized, compressed or unknown message is answered before more of it has come', async () => {
    const { bench, raw, test } = await setup({ requestFrameBytesMax: 1_000 });
    const connection = raw().begin();
    const prefixes = [messagePrefix(1_001), messagePrefix(2 ** 32 - 1), messagePrefix(10, 1), messagePrefix(10, 9)];
    for (const [index, prefix] of prefixes.entries()) {
      const stream = 1 + 2 * index;
      connection.write(openCall(stream, '/test.Echo/Unary'), frame(frameTypes.data, 0, stream, prefix));
      await until(() => isOver(connection, stream));
    }
    expect(test.calls.length).toBe(0);
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
    expect(connection.closed).toBe(false);
  });

  it('whose data never end is answered by its first message, and told to stop', async () => {
    const { bench, raw } = await setup();
    const connection = raw().begin(openCall(1, '/test.Echo/Unary'));
    connection.write(frame(frameTypes.data, 0, 1, Buffer.concat([messagePrefix(2), Buffer.from('hi')])));
    await until(() => connection.of(1).some(({ type }) => type === frameTypes.reset));
    expect(textOf(connection, 1)).toContain('hi');
    for (let count = 0; count < 20; count++) connection.write(frame(frameTypes.data, 0, 1, Buffer.alloc(1_000)));
    await until(() => bench.port.callCount === 0);
    expect(bench.port.heldBytes).toBe(0);
  });

  it('that never sends its message, or half of it, ends after a bounded time', async () => {
    const { bench, raw, test } = await setup({ requestArrivalTimeoutMs: 100 });
    const connection = raw().begin(
      openCall(1, '/test.Echo/Unary'),
      openCall(3, '/test.Echo/Unary'),
      frame(frameTypes.data, 0, 3, Buffer.concat([messagePrefix(100), Buffer.alloc(10)])),
      openCall(5, '/test.Echo/Stream'),
      frame(frameTypes.data, 0, 5, Buffer.concat([messagePrefix(100_000), Buffer.alloc(10)])),
    );
    await until(() => isOver(connection, 1) && isOver(connection, 3) && isOver(connection, 5));
    expect(test.events).toEqual(['cancelled /test.Echo/Stream']);
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('that ends in the middle of its message, or without one, fails', async () => {
    const { bench, raw } = await setup();
    const connection = raw().begin(
      openCall(1, '/test.Echo/Unary'),
      frame(frameTypes.data, endStream, 1, messagePrefix(4)),
      openCall(3, '/test.Echo/Unary'),
      frame(frameTypes.data, endStream, 3),
      openCall(5, '/test.Echo/Stream'),
      frame(frameTypes.data, endStream, 5, Buffer.from([0, 0])),
    );
    await until(() => isOver(connection, 1) && isOver(connection, 3) && isOver(connection, 5));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('comes however its bytes are cut', async () => {
    const { raw } = await setup();
    const messages = Buffer.concat(
      ['a', '', 'bcd'].map((text) => Buffer.concat([messagePrefix(text.length), Buffer.from(text)])),
    );
    const connection = raw().begin(openCall(1, '/test.Echo/Stream'));
    for (const byte of messages) connection.write(frame(frameTypes.data, 0, 1, Buffer.from([byte])));
    connection.write(frame(frameTypes.data, endStream, 1));
    await until(() => isOver(connection, 1));
    const data = connection.of(1).filter(({ type }) => type === frameTypes.data);
    expect(Buffer.concat(data.map(({ payload }) => payload))).toEqual(messages);
  });
});

describe('many calls', () => {
  it('that each half send a large message hold a bounded sum', async () => {
    const overrides = { clientArrivalBytesTotalMax: 3_000_000, grpcCallsWaitingMax: 20, requestArrivalTimeoutMs: 400 };
    const { bench, raw, witness } = await setup(overrides);
    const connections = Array.from({ length: 4 }, () => raw().begin());
    for (const connection of connections) {
      for (let stream = 1; stream < 100; stream += 2) {
        const data = Buffer.concat([messagePrefix(1_000_000), Buffer.alloc(10_000)]);
        connection.write(openCall(stream, '/test.Echo/Unary'), frame(frameTypes.data, 0, stream, data));
      }
    }
    await until(() => bench.port.heldBytes > 1_000_000);
    let heldBytesMost = 0;
    await witness();
    await until(() => {
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
      return bench.port.callCount === 0;
    });
    expect(heldBytesMost).toBeLessThan(3_000_000 + 20 * 65_536);
    expect(bench.port.heldBytes).toBe(0);
  });

  it('whose answers are not read hold a bounded sum, and are answered when they are read', async () => {
    const { bench, raw, test, witness } = await setup({ grpcConnectionQueueBytesMax: 500_000 });
    const connection = raw().begin();
    connection.socket.pause();
    const message = Buffer.concat([messagePrefix(10_000), Buffer.alloc(10_000)]);
    // No more than the connection's window.
    for (let stream = 1; stream < 800; stream += 2) {
      connection.write(openCall(stream, '/test.Echo/Unary'), frame(frameTypes.data, endStream, stream, message));
    }
    await until(() => bench.port.heldBytes > 500_000);
    await witness();
    expect(bench.port.heldBytes).toBeLessThan(800_000);
    expect(test.calls.length).toBeLessThan(200);
    connection.socket.resume();
    // The windows of all streams are large enough; that of the connection has to be opened.
    const grow = frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x00, 0xff, 0xff, 0xff]));
    connection.write(grow);
    await until(() => isOver(connection, 799));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
    expect(test.calls.length).toBe(401);
  });

  it('whose answers are large and not read are given up past a bound', async () => {
    const { bench, raw, test, witness } = await setup({ grpcUnreadAnswersBytesMax: 550_000 });
    const connection = raw().begin();
    const message = Buffer.concat([messagePrefix(2), Buffer.from('hi')]);
    const streams = Array.from({ length: 20 }, (_, index) => 1 + 2 * index);
    for (const stream of streams) {
      connection.write(openCall(stream, '/test.Echo/Hang'), frame(frameTypes.data, endStream, stream, message));
    }
    await until(() => test.calls.length === streams.length);
    // All were asked for before the first of them is answered.
    for (const call of test.calls) answer(call, new Uint8Array(100_000));
    await until(() => streams.filter((stream) => isOver(connection, stream)).length === 15);
    expect(textOf(connection, 39)).toContain('etcdserver: request timed out');
    expect(bench.port.heldBytes).toBeLessThanOrEqual(550_000);
    await witness();
    connection.write(frame(frameTypes.windowUpdate, 0, 0, Buffer.from([0x00, 0xff, 0xff, 0xff])));
    for (const stream of streams.slice(0, 5)) {
      connection.write(frame(frameTypes.windowUpdate, 0, stream, Buffer.from([0x00, 0xff, 0xff, 0xff])));
    }
    await until(() => streams.every((stream) => isOver(connection, stream)));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('whose large answers are not read on many connections are given up past a bound of all', async () => {
    const { bench, raw, test, witness } = await setup({ clientAnswersBytesTotalMax: 550_000 });
    const connections = Array.from({ length: 10 }, () => raw().begin());
    const message = Buffer.concat([messagePrefix(2), Buffer.from('hi')]);
    for (const connection of connections) {
      connection.write(openCall(1, '/test.Echo/Hang'), frame(frameTypes.data, endStream, 1, message));
    }
    await until(() => test.calls.length === connections.length);
    for (const call of test.calls) answer(call, new Uint8Array(200_000));
    await until(() => connections.filter((connection) => isOver(connection, 1)).length >= 7);
    expect(bench.port.heldBytes).toBeGreaterThan(200_000);
    expect(bench.port.heldBytes).toBeLessThanOrEqual(550_000);
    await witness();
    for (const connection of connections) connection.socket.destroy();
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
    await witness();
  });

  it('past their number are refused', async () => {
    const { bench, raw } = await setup({ grpcCallsMax: 10 });
    const connection = raw().begin(
      ...Array.from({ length: 12 }, (_, index) => openCall(1 + 2 * index, '/test.Echo/Listen')),
    );
    await until(() => isOver(connection, 21) && isOver(connection, 23));
    expect(bench.port.callCount).toBe(10);
    expect(isOver(connection, 19)).toBe(false);
    connection.socket.destroy();
    await until(() => bench.port.callCount === 0);
  });
});
