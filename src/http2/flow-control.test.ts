// Windows in both directions: what a client grants is never overdrawn, what it takes back is waited for, and what it has
// sent is given back once, whatever became of its stream.

import { expect, it } from 'vitest';
import {
  benchSettings,
  data,
  endFields,
  grow,
  Http2Bench,
  okFields,
  open,
  ping,
  type RequestHandlers,
  reset,
} from '../../test/support/http2-bench.js';
import { endHeaders, endStream, frame, frameTypes, headerBlock, windowSettings } from '../../test/support/raw-http2.js';
import { until } from '../../test/support/until.js';
import { initialWindowBytes } from './frames.js';

/** Answers with so many bytes and ends. */
function answering(bytes: number): RequestHandlers {
  return {
    begun: ({ stream }) => {
      stream.respond(okFields, false);
      stream.write(new Uint8Array(5), new Uint8Array(bytes - 5).fill(7));
      stream.end(endFields);
    },
  };
}

/** Resolves once the server has answered all that it was sent. */
async function quiet(bench: Http2Bench): Promise<void> {
  const { pongs } = bench;
  bench.send(ping);
  await until('it is alive', () => bench.pongs > pongs);
  await new Promise((resolve) => setImmediate(resolve));
}

it('an answer goes as far as the window of its stream, then as it grows', async () => {
  const bench = new Http2Bench(answering(200_000));
  bench.begin(grow(0, 2 ** 20), open(1, endStream));
  await until('the window is full', () => bench.data(1).length === initialWindowBytes);
  await quiet(bench);
  expect(bench.data(1).length).toBe(initialWindowBytes);
  bench.send(grow(1, 1));
  await until('one byte more', () => bench.data(1).length === initialWindowBytes + 1);
  bench.send(grow(1, 200_000));
  await until('it is over', () => bench.isOver(1));
  expect(bench.data(1).length).toBe(200_000);
  expect(bench.of(1, frameTypes.data).every(({ payload }) => payload.length <= 16_384)).toBe(true);
  expect(bench.requests[0]?.events).toEqual(['ended', 'closed']);
  bench.connection.destroy();
});

it('answers share the window of the connection, and take turns', async () => {
  const bench = new Http2Bench(answering(50_000));
  bench.begin(open(1, endStream), open(3, endStream), open(5, endStream));
  const sum = (): number => [1, 3, 5].reduce((bytes, stream) => bytes + bench.data(stream).length, 0);
  await until('the window is full', () => sum() === initialWindowBytes);
  for (const stream of [1, 3, 5]) expect(bench.data(stream).length).toBeGreaterThanOrEqual(16_384);
  bench.send(grow(0, 1));
  await quiet(bench);
  expect(sum()).toBe(initialWindowBytes + 1);
  bench.send(grow(0, 100_000));
  await until('all are over', () => [1, 3, 5].every((stream) => bench.isOver(stream)));
  expect(sum()).toBe(150_000);
  bench.connection.destroy();
});

it('an answer without data needs no window', async () => {
  const bench = new Http2Bench({ begun: ({ stream }) => stream.respond(okFields, true) });
  bench.begin(windowSettings(0), open(1, endStream));
  await until('it is over', () => bench.isOver(1));
  bench.connection.destroy();
});

it('a window that is lowered below what was sent has to grow by what it lacks', async () => {
  const bench = new Http2Bench(answering(200_000));
  bench.begin(grow(0, 2 ** 20), open(1, endStream));
  await until('the window is full', () => bench.data(1).length === initialWindowBytes);
  // It is -55535 now.
  bench.send(windowSettings(10_000), grow(1, 55_535));
  await quiet(bench);
  expect(bench.data(1).length).toBe(initialWindowBytes);
  bench.send(grow(1, 7));
  await until('seven bytes more', () => bench.data(1).length === initialWindowBytes + 7);
  bench.send(windowSettings(0));
  await quiet(bench);
  bench.send(windowSettings(10_100));
  await until('a hundred bytes more', () => bench.data(1).length === initialWindowBytes + 107);
  // Streams that are opened now have the new window.
  bench.send(open(3, endStream));
  await until('the window is full', () => bench.data(3).length === 10_100);
  bench.send(windowSettings(2 ** 31 - 1));
  await until('all are over', () => bench.isOver(1) && bench.isOver(3));
  expect(bench.data(1).length + bench.data(3).length).toBe(400_000);
  bench.connection.destroy();
});

it('windows may be raised and lowered in one chunk', async () => {
  const bench = new Http2Bench(answering(1_000));
  bench.begin(windowSettings(0), open(1, endStream), open(3, endStream));
  await quiet(bench);
  bench.send(Buffer.concat([windowSettings(2_000), windowSettings(10)]));
  await until('ten bytes each', () => bench.data(1).length === 10 && bench.data(3).length === 10);
  await quiet(bench);
  expect(bench.data(1).length + bench.data(3).length).toBe(20);
  bench.send(Buffer.concat([grow(1, 990), reset(1), windowSettings(1_000)]));
  await until('the other is over', () => bench.isOver(3));
  expect(bench.data(1).length).toBe(10);
  bench.connection.destroy();
});

/** What the server has granted beyond what it grants at first. */
function returned(bench: Http2Bench): number {
  return bench.granted(0) - (benchSettings.connectionWindowBytes - initialWindowBytes);
}

it('what is read is given back, to the stream and to the connection', async () => {
  const bench = new Http2Bench();
  bench.begin(open(1));
  for (let count = 0; count < 100; count++) {
    bench.send(data(1, 16_384));
    await quiet(bench);
  }
  expect(bench.requests[0]?.receivedBytes).toBe(100 * 16_384);
  expect(bench.granted(1)).toBeGreaterThanOrEqual(99 * 16_384 - 65_536 / 2);
  expect(bench.granted(1)).toBeLessThanOrEqual(100 * 16_384);
  expect(returned(bench)).toBeGreaterThanOrEqual(100 * 16_384 - 2 ** 19);
  bench.connection.destroy();
});

it('padding counts, and the data between are right', async () => {
  const bench = new Http2Bench();
  bench.begin(open(1));
  const padded = Buffer.concat([Buffer.from([200]), Buffer.from('text'), Buffer.alloc(200)]);
  for (let count = 0; count < 200; count++) bench.send(frame(frameTypes.data, 8, 1, padded));
  await until('it is granted', () => bench.granted(1) > 0);
  expect(bench.requests[0]?.receivedBytes).toBe(200 * 4);
  expect(bench.granted(1) % 205).toBe(0);
  bench.connection.destroy();
});

it('data of streams that are refused, reset, ended or unknown give the window of the connection back', async () => {
  const bench = new Http2Bench({ begun: ({ stream }) => stream.pause() }, { streamsMax: 2 });
  bench.begin(open(1), open(3), open(5));
  const bytes = 16_384;
  let sent = 0;
  for (let round = 0; round < 20; round++) {
    // 1: withheld, then reset by the client. 3: withheld, then reset by the server. 5: was refused.
    const late = round === 0 ? [] : [data(1, bytes), data(3, bytes)];
    const first = round > 0 ? [] : [data(1, bytes), reset(1), data(3, bytes), data(3, 10, endStream), data(3, bytes)];
    bench.send(...first, ...late, data(5, bytes));
    sent += first.length > 0 ? 3 * bytes + 10 + bytes : 3 * bytes;
  }
  await quiet(bench);
  expect(bench.goneWith).toBeUndefined();
  expect(sent - returned(bench)).toBeLessThan(2 ** 19);
  expect(returned(bench)).toBeLessThanOrEqual(sent);
  bench.connection.destroy();
});

it('a stream that is paused keeps its window, and that of the connection unless it is paused alone', async () => {
  for (const alone of [false, true]) {
    const bench = new Http2Bench({ begun: ({ stream }) => stream.pause(alone) });
    const streams = Array.from({ length: 40 }, (_, index) => 1 + 2 * index);
    bench.begin(...streams.map((stream) => open(stream)));
    // 40 times 16 KiB are more than half of the window of the connection.
    bench.send(...streams.map((stream) => data(stream, 16_384)));
    await quiet(bench);
    expect(returned(bench) > 0).toBe(alone);
    for (const stream of streams) expect(bench.granted(stream)).toBe(0);
    for (const { stream } of bench.requests) stream.resume();
    bench.send(...streams.map((stream) => data(stream, 16_384)));
    await quiet(bench);
    for (const stream of streams) expect(bench.granted(stream)).toBe(32_768);
    // Once, not twice.
    expect(returned(bench)).toBeLessThanOrEqual(80 * 16_384);
    expect(80 * 16_384 - returned(bench)).toBeLessThan(2 ** 19);
    bench.connection.destroy();
  }
});

it('trailers of a request end it like its last data', async () => {
  const bench = new Http2Bench();
  bench.begin(open(1), data(1, 5));
  bench.send(frame(frameTypes.headers, endHeaders | endStream, 1, headerBlock({ checksum: 'abc' })));
  await until('it has ended', () => bench.requests[0]?.events.includes('ended') === true);
  bench.requests[0]?.stream.respond(okFields, true);
  await until('it is over', () => bench.isOver(1));
  expect(bench.resets(1)).toEqual([]);
  bench.connection.destroy();
});

it('a client that still sends when its answer is complete is told to stop, without an error', async () => {
  const bench = new Http2Bench({ received: ({ stream }) => stream.respond(okFields, true) });
  bench.begin(open(1), data(1, 5));
  await until('it is told', () => bench.resets(1).length === 1);
  expect(bench.resets(1)).toEqual([0]);
  // The last of its data may come at once: then nobody has to be told.
  bench.send(open(3), Buffer.concat([data(3, 5), data(3, 5, endStream)]));
  await quiet(bench);
  expect(bench.isOver(3)).toBe(true);
  expect(bench.resets(3)).toEqual([]);
  expect(bench.requests.map(({ events }) => events.at(-1))).toEqual(['closed', 'closed']);
  bench.connection.destroy();
});

it('small answers beside one of 8 MiB do not wait for it', async () => {
  const bytes = 8 * 2 ** 20;
  const bench = new Http2Bench({
    begun: (request) => answering(request.stream.id === 1 ? bytes : 2_000).begun?.(request),
  });
  const others = Array.from({ length: 50 }, (_, index) => 3 + 2 * index);
  bench.begin(windowSettings(2 ** 24), grow(0, 2 ** 24));
  bench.send(Buffer.concat([1, ...others].map((stream) => open(stream, endStream))));
  await until('the large one is over', () => bench.isOver(1));
  expect(bench.data(1).length).toBe(bytes);
  const last = bench.frames.findLastIndex(({ stream, type }) => stream !== 1 && type === frameTypes.data);
  const before = bench.frames.slice(0, last).filter(({ stream, type }) => stream === 1 && type === frameTypes.data);
  // All of them went within the first turns, each of which is a frame of the large one.
  expect(before.length).toBeLessThan(20);
  for (const stream of others) expect(bench.data(stream).length).toBe(2_000);
  bench.connection.destroy();
});
