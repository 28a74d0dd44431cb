// Clients that send as much as they can, or never read: what a connection holds for them and does for each of their bytes
// is bounded, and nothing is lost of what was taken.

import { expect, it } from 'vitest';
import {
  data,
  echo,
  endFields,
  grow,
  Http2Bench,
  okFields,
  open,
  ping,
  type RequestHandlers,
  reset,
} from '../../test/support/http2-bench.js';
import { endStream, settings, windowSettings } from '../../test/support/raw-http2.js';
import { until } from '../../test/support/until.js';
import { errorCode } from './frames.js';

function times(count: number, make: (index: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, index) => make(index)));
}

it('a client that never reads is not read from past a bound, and loses nothing once it reads', async () => {
  const bench = new Http2Bench(echo);
  bench.begin(open(1));
  await until('it has begun', () => bench.requests.length === 1);
  bench.reads(false);
  const chunk = Buffer.concat([times(500, () => ping), times(100, () => settings([3, 9])), data(1, 100)]);
  const chunks = 300;
  for (let count = 0; count < chunks; count++) bench.send(chunk);
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve));
  // What is not parsed waits in the socket, where the network holds it back.
  expect(bench.socket.isPaused()).toBe(true);
  expect(bench.socket.readableLength).toBeGreaterThan((chunks - 40) * chunk.length);
  expect(bench.socket.writableLength).toBeLessThan(512 * 1_024);
  bench.reads(true);
  await until('all is answered', () => bench.pongs === chunks * 500);
  expect(bench.frames.filter(({ type, flags }) => type === 4 && flags === 1).length).toBe(chunks * 100 + 1);
  bench.send(data(1, 5, endStream));
  await until('it is over', () => bench.isOver(1));
  expect(bench.data(1).length).toBe(chunks * 100 + 5);
  bench.connection.destroy();
});

it('a client that never reads may still go, and one that broke the rules is cut off', async () => {
  const benches = [new Http2Bench(echo), new Http2Bench(echo)];
  for (const bench of benches) {
    bench.reads(false);
    bench.begin(
      open(1),
      times(20_000, () => ping),
    );
  }
  const [first, second] = benches;
  await until('nothing is taken', () => benches.every(({ socket }) => socket.isPaused()));
  first?.socket.destroy();
  second?.connection.stop();
  second?.requests[0]?.stream.reset(errorCode.cancel);
  second?.reads(true);
  await until('it has ended', () => second?.socket.ended === true);
  second?.socket.destroy();
  await until('both are gone', () => benches.every(({ closed }) => closed));
  for (const bench of benches) expect(bench.requests[0]?.events).toEqual(['closed']);
});

/** Answers with what no window lets out. */
const stuck: RequestHandlers = {
  begun: ({ stream }) => {
    stream.respond(okFields, false);
    stream.write(new Uint8Array(0), new Uint8Array(1_000));
    stream.end(endFields);
  },
};

it('thousands of streams and of window changes are no more work than either', async () => {
  const streams = 4_000;
  const bench = new Http2Bench(stuck, { streamsMax: streams });
  const ids = Array.from({ length: streams }, (_, index) => 1 + 2 * index);
  bench.begin(windowSettings(0), grow(0, 2 ** 24), ...ids.map((id) => open(id, endStream)));
  await until('all have begun', () => bench.requests.length === streams);
  let looks = 0;
  for (const { stream } of bench.requests) {
    const { unsentBytes } = stream;
    Object.defineProperty(stream, 'unsentBytes', {
      configurable: true,
      get: () => {
        looks++;
        return unsentBytes;
      },
    });
  }
  // As much as one read of a socket brings.
  bench.send(
    times(4_000, (index) => windowSettings(index % 2)),
    ping,
  );
  await until('it is alive', () => bench.pongs === 1);
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThan(4 * streams);
  for (const { stream } of bench.requests) Reflect.deleteProperty(stream, 'unsentBytes');
  // Of what is granted byte by byte, each byte may go alone; no stream is looked at for another's.
  bench.send(...Array.from({ length: 10 }, () => Buffer.concat(ids.map((id) => grow(id, 1)))));
  await until('all have grown', () => ids.every((id) => bench.requests[(id - 1) / 2]?.stream.unsentBytes === 990 - 1));
  bench.send(windowSettings(1_000));
  await until('all are over', () => bench.requests.every(({ events }) => events.at(-1) === 'closed'));
  expect(bench.goneWith).toBeUndefined();
  bench.connection.destroy();
});

it('streams that are closed while the connection has no window are let go', async () => {
  const bench = new Http2Bench(stuck);
  bench.begin(open(1), ...Array.from({ length: 66 }, (_, index) => open(3 + 2 * index, endStream)));
  await until('the window is used up', () => bench.requests.length === 67);
  const before = bench.requests.length;
  const ids = Array.from({ length: 500 }, (_, index) => 201 + 2 * index);
  for (const id of ids) bench.send(Buffer.concat([open(id, endStream), reset(id)]));
  bench.send(open(2_001, endStream), ping);
  await until('it is alive', () => bench.pongs === 1);
  expect(bench.requests.length).toBe(before + 501);
  // Their places are gone: nobody looks at them when it is the last one's turn.
  let looks = 0;
  for (const { stream } of bench.requests.slice(before, -1)) {
    Object.defineProperty(stream, 'unsentBytes', { get: () => looks++ && 0 });
  }
  bench.send(grow(0, 10_000));
  await until('it is over', () => bench.isOver(2_001));
  expect(bench.data(2_001).length).toBe(1_000);
  expect(looks).toBe(0);
  bench.connection.destroy();
});

const resetters: Readonly<Record<string, (stream: number) => Buffer>> = {
  RST_STREAM: (stream) => reset(stream),
  'WINDOW_UPDATE of 0': (stream) => grow(stream, 0),
  'DATA after the end': (stream) => data(stream, 1),
  'HEADERS after the end': (stream) => open(stream, endStream),
};

it.each(Object.entries(resetters))('streams that are ended by %s are so many at most', async (_, end) => {
  const bench = new Http2Bench();
  bench.begin();
  bench.send(times(1_100, (index) => Buffer.concat([open(1 + 2 * index, endStream), end(1 + 2 * index)])));
  await until('it is cut off', () => bench.goneWith !== undefined);
  expect(bench.goneWith).toBe(errorCode.enhanceYourCalm);
  expect(bench.requests.length).toBeGreaterThanOrEqual(1_000);
  expect(bench.requests.length).toBeLessThan(1_100);
  expect(bench.requests.every(({ events }) => events.at(-1) === 'closed')).toBe(true);
  bench.connection.destroy();
});

it('empty data without end reach nobody and grant nothing', async () => {
  const bench = new Http2Bench();
  bench.begin(open(1));
  const { sentBytes } = bench;
  bench.send(
    times(20_000, () => data(1, 0)),
    ping,
  );
  await until('it is alive', () => bench.pongs === 1);
  expect(bench.requests[0]?.receivedBytes).toBe(0);
  expect(bench.sentBytes - sentBytes).toBeLessThan(200);
  bench.connection.destroy();
});

it('a server that stops answers what has begun, takes nothing new and ends', async () => {
  const bench = new Http2Bench({ ...echo, begun: ({ stream }) => stream.respond(okFields, false) });
  bench.begin(open(1), open(3), data(1, 10));
  await until('they have begun', () => bench.requests.length === 2);
  bench.connection.stop();
  bench.connection.stop();
  bench.send(open(5, endStream), data(1, 10, endStream), ping);
  await until('the first is over', () => bench.isOver(1));
  expect(bench.socket.ended).toBe(false);
  bench.send(data(3, 7, endStream));
  await until('it has ended', () => bench.socket.ended);
  expect(bench.goAways).toEqual([{ lastStream: 3, code: errorCode.none }]);
  expect(bench.isOver(3)).toBe(true);
  expect(bench.data(1).length + bench.data(3).length).toBe(27);
  expect(bench.of(5)).toEqual([]);
  bench.socket.push(null);
  await until('it is closed', () => bench.closed);
});

it('a server that stops without calls ends at once', async () => {
  const bench = new Http2Bench();
  bench.begin(ping);
  await until('it is alive', () => bench.pongs === 1);
  bench.connection.stop();
  await until('it has ended', () => bench.socket.ended);
  expect(bench.goAways).toEqual([{ lastStream: 0, code: errorCode.none }]);
  bench.connection.destroy();
  await until('it is closed', () => bench.closed);
});
