// What no client may send: it costs the connection or the stream, with the code that RFC 9113 has for it. Then the
// connection closes by itself, or goes on.

import { expect, it } from 'vitest';
import { data, grow, Http2Bench, open, ping, type RequestHandlers, reset } from '../../test/support/http2-bench.js';
import {
  endHeaders,
  endStream,
  frame,
  frameTypes,
  headerBlock,
  preface,
  settings,
} from '../../test/support/raw-http2.js';
import { until } from '../../test/support/until.js';
import { errorCode } from './frames.js';

const padded = 8;
const priority = 32;
const most = 2 ** 31 - 1;

function headers(stream: number, fields: Readonly<Record<string, string>>, flags = 0): Buffer {
  return frame(frameTypes.headers, endHeaders | flags, stream, headerBlock(fields));
}

const begun = Buffer.concat([preface, settings()]);
const wholeHead = { ':method': 'POST', ':scheme': 'http', ':path': '/' };

interface Breach {
  readonly bytes: readonly Uint8Array[];
  readonly code: number;
  /** Instead of preface and settings. */
  readonly first?: Uint8Array;
}

const { protocol, flowControl, streamClosed, frameSize, compression, enhanceYourCalm } = errorCode;

const breaches: Readonly<Record<string, Breach>> = {
  'another preface': { first: Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n'), bytes: [], code: protocol },
  'a preface that goes wrong in its second piece': {
    first: Buffer.from('PRI * HT'),
    bytes: [Buffer.from('XP/2.0')],
    code: protocol,
  },
  'PING first': { first: preface, bytes: [ping], code: protocol },
  'an acknowledgment first': { first: preface, bytes: [frame(frameTypes.settings, 1, 0)], code: protocol },
  'DATA of the connection': { bytes: [data(0, 1)], code: protocol },
  'DATA of a stream that is not open': { bytes: [data(1, 1)], code: protocol },
  'DATA of a stream of the server': { bytes: [open(3), data(2, 1)], code: protocol },
  'DATA with more padding than frame': {
    bytes: [open(1), frame(frameTypes.data, padded, 1, Buffer.from([3, 0, 0]))],
    code: protocol,
  },
  'DATA that says it is padded and has no length': {
    bytes: [open(1), frame(frameTypes.data, padded, 1)],
    code: protocol,
  },
  'HEADERS of the connection': { bytes: [open(0)], code: protocol },
  'HEADERS on a stream of the server': { bytes: [open(2)], code: protocol },
  'HEADERS with more padding than frame': {
    bytes: [frame(frameTypes.headers, endHeaders | padded, 1, Buffer.from([3, 0x82, 0x86]))],
    code: protocol,
  },
  'HEADERS too short for their priority': {
    bytes: [frame(frameTypes.headers, endHeaders | priority, 1, Buffer.alloc(4))],
    code: frameSize,
  },
  'HEADERS that are no HPACK': {
    bytes: [frame(frameTypes.headers, endHeaders, 1, Buffer.alloc(9, 0xff))],
    code: compression,
  },
  'HEADERS of a refused stream that are no HPACK': {
    bytes: [open(1), open(3), frame(frameTypes.headers, endHeaders, 5, Buffer.from([0x80]))],
    code: compression,
  },
  'a table larger than allowed': {
    bytes: [frame(frameTypes.headers, endHeaders, 1, Buffer.from([0x3f, 0xe2, 0x1f]))],
    code: compression,
  },
  'PRIORITY of the connection': { bytes: [frame(frameTypes.priority, 0, 0, Buffer.alloc(5))], code: protocol },
  'PRIORITY of a wrong size of no stream': {
    bytes: [frame(frameTypes.priority, 0, 1, Buffer.alloc(4))],
    code: frameSize,
  },
  'RST_STREAM of the connection': { bytes: [reset(0)], code: protocol },
  'RST_STREAM of a stream that is not open': { bytes: [open(1), reset(3)], code: protocol },
  'RST_STREAM of a wrong size': { bytes: [open(1), frame(frameTypes.reset, 0, 1, Buffer.alloc(3))], code: frameSize },
  'SETTINGS of a stream': { bytes: [frame(frameTypes.settings, 0, 1)], code: protocol },
  'SETTINGS of a wrong size': { bytes: [frame(frameTypes.settings, 0, 0, Buffer.alloc(5))], code: frameSize },
  'an acknowledgment with settings': {
    bytes: [frame(frameTypes.settings, 1, 0, Buffer.alloc(6))],
    code: frameSize,
  },
  'ENABLE_PUSH of 2': { bytes: [settings([2, 2])], code: protocol },
  'INITIAL_WINDOW_SIZE of 2^31': { bytes: [settings([4, 2 ** 31])], code: flowControl },
  'MAX_FRAME_SIZE of 16383': { bytes: [settings([5, 16_383])], code: protocol },
  'MAX_FRAME_SIZE of 2^24': { bytes: [settings([5, 2 ** 24])], code: protocol },
  'INITIAL_WINDOW_SIZE that makes the window of a stream too large': {
    bytes: [open(1), grow(1, most - 65_535), settings([4, 65_536])],
    code: flowControl,
  },
  PUSH_PROMISE: { bytes: [frame(frameTypes.push, endHeaders, 1, Buffer.alloc(10))], code: protocol },
  'PING of a stream': { bytes: [frame(frameTypes.ping, 0, 1, Buffer.alloc(8))], code: protocol },
  'PING of a wrong size': { bytes: [frame(frameTypes.ping, 0, 0, Buffer.alloc(7))], code: frameSize },
  'GOAWAY of a stream': { bytes: [frame(frameTypes.goAway, 0, 1, Buffer.alloc(8))], code: protocol },
  'GOAWAY of a wrong size': { bytes: [frame(frameTypes.goAway, 0, 0, Buffer.alloc(7))], code: frameSize },
  'WINDOW_UPDATE of a wrong size': { bytes: [frame(frameTypes.windowUpdate, 0, 0, Buffer.alloc(5))], code: frameSize },
  'WINDOW_UPDATE of a stream that is not open': { bytes: [grow(1, 1)], code: protocol },
  'WINDOW_UPDATE of 0': { bytes: [grow(0, 0)], code: protocol },
  'WINDOW_UPDATE past the largest window': { bytes: [grow(0, most - 65_534)], code: flowControl },
  'CONTINUATION of nothing': { bytes: [frame(frameTypes.continuation, endHeaders, 1)], code: protocol },
  'CONTINUATION of a whole block': {
    bytes: [open(1), frame(frameTypes.continuation, endHeaders, 1)],
    code: protocol,
  },
  'CONTINUATION of another stream': {
    bytes: [frame(frameTypes.headers, 0, 1), frame(frameTypes.continuation, endHeaders, 3)],
    code: protocol,
  },
  'PRIORITY inside of a header block': {
    bytes: [frame(frameTypes.headers, 0, 1), frame(frameTypes.priority, 0, 1, Buffer.alloc(5))],
    code: protocol,
  },
  'an unknown frame inside of a header block': {
    bytes: [frame(frameTypes.headers, 0, 1), frame(99, 0, 0)],
    code: protocol,
  },
  'HEADERS inside of a header block': { bytes: [frame(frameTypes.headers, 0, 1), open(1)], code: protocol },
  'a header block of endless bytes': {
    bytes: [
      frame(frameTypes.headers, 0, 1, Buffer.alloc(16_000)),
      ...Array.from({ length: 3 }, () => frame(frameTypes.continuation, 0, 1, Buffer.alloc(16_000))),
    ],
    code: enhanceYourCalm,
  },
  'a header block of endless empty frames': {
    bytes: [
      frame(frameTypes.headers, 0, 1),
      Buffer.concat(Array.from({ length: 70 }, () => frame(frameTypes.continuation, 0, 1))),
    ],
    code: enhanceYourCalm,
  },
  'a frame of 16385 bytes': { bytes: [open(1), data(1, 16_385)], code: frameSize },
  'an unknown frame of 2^24 - 1 bytes': { bytes: [Buffer.from([255, 255, 255, 99, 0, 0, 0, 0, 0])], code: frameSize },
  'more DATA than the connection has room for': {
    bytes: [
      ...Array.from({ length: 20 }, (_, index) => open(1 + 2 * index)),
      ...Array.from({ length: 80 }, (_, index) => data(1 + 2 * (index % 20), 16_384)),
    ],
    code: flowControl,
  },
};

/** Nothing is read: no window is given back. */
const paused: RequestHandlers = { begun: ({ stream }) => stream.pause() };

it('an error of the connection is told by its code, and the connection closes by itself', async () => {
  const broken = Object.entries(breaches).map(([name, { first, bytes, code }]) => {
    const bench = new Http2Bench(paused);
    bench.send(first ?? begun, ...bytes);
    return { name, bench, code };
  });
  await until('all are told', () => broken.every(({ bench }) => bench.goneWith !== undefined));
  for (const { name, bench, code } of broken) {
    expect({ name, code: bench.goneWith }).toEqual({ name, code });
    expect({ name, ended: bench.socket.ended, count: bench.goAways.length }).toEqual({ name, ended: true, count: 1 });
    expect(bench.requests.every(({ events }) => events.at(-1) === 'closed')).toBe(true);
    // What it says now is for nobody.
    bench.send(open(99), ping, Buffer.alloc(20_000));
  }
  await until('all are closed', () => broken.every(({ bench }) => bench.closed && bench.socket.destroyed));
  for (const { bench } of broken) {
    expect(bench.pongs).toBe(0);
    expect(bench.frames.at(-1)?.type).toBe(frameTypes.goAway);
  }
});

interface StreamBreach {
  readonly bytes: readonly Uint8Array[];
  readonly code: number;
}

const streamBreaches: Readonly<Record<string, StreamBreach>> = {
  'DATA after the end of the request': { bytes: [open(1, endStream), data(1, 10)], code: streamClosed },
  'HEADERS after the end of the request': { bytes: [open(1, endStream), open(1, endStream)], code: streamClosed },
  'trailers that are not the end': { bytes: [open(1), headers(1, { checksum: 'x' })], code: protocol },
  'trailers like a request': { bytes: [open(1), open(1, endStream)], code: protocol },
  'trailers that are too many': {
    bytes: [
      open(1),
      frame(frameTypes.headers, endStream, 1, headerBlock({ a: 'x'.repeat(10_000) })),
      frame(frameTypes.continuation, endHeaders, 1, headerBlock({ b: 'x'.repeat(10_000) })),
    ],
    code: protocol,
  },
  'PRIORITY of a wrong size': { bytes: [open(1), frame(frameTypes.priority, 0, 1, Buffer.alloc(6))], code: frameSize },
  'WINDOW_UPDATE of 0': { bytes: [open(1), grow(1, 0)], code: protocol },
  'WINDOW_UPDATE past the largest window': { bytes: [open(1), grow(1, most - 65_534)], code: flowControl },
  'more DATA than the stream has room for': {
    bytes: [open(1), ...Array.from({ length: 5 }, () => data(1, 16_384))],
    code: flowControl,
  },
  'no method': { bytes: [headers(1, { ':scheme': 'http', ':path': '/' })], code: protocol },
  'no scheme': { bytes: [headers(1, { ':method': 'POST', ':path': '/' })], code: protocol },
  'no path': { bytes: [headers(1, { ':method': 'POST', ':scheme': 'http' })], code: protocol },
  'an unknown pseudo-header': { bytes: [headers(1, { ...wholeHead, ':status': '200' })], code: protocol },
  'a pseudo-header twice': {
    bytes: [
      frame(
        frameTypes.headers,
        endHeaders,
        1,
        Buffer.concat([headerBlock(wholeHead), headerBlock({ ':path': '/other' })]),
      ),
    ],
    code: protocol,
  },
  'a pseudo-header behind others': {
    bytes: [headers(1, { ':method': 'POST', a: 'b', ':scheme': 'http', ':path': '/' })],
    code: protocol,
  },
  'a name in capitals': { bytes: [headers(1, { ...wholeHead, Token: 'x' })], code: protocol },
  'a name with a space': { bytes: [headers(1, { ...wholeHead, 'to ken': 'x' })], code: protocol },
  'no name': { bytes: [headers(1, { ...wholeHead, '': 'x' })], code: protocol },
  'a value with an end of line': { bytes: [headers(1, { ...wholeHead, token: 'x\r\ny: z' })], code: protocol },
  'a field of the connection': { bytes: [headers(1, { ...wholeHead, connection: 'close' })], code: protocol },
  'a coding of HTTP/1.1': { bytes: [headers(1, { ...wholeHead, 'transfer-encoding': 'chunked' })], code: protocol },
  'te that is not trailers': { bytes: [headers(1, { ...wholeHead, te: 'gzip' })], code: protocol },
  'headers that are too many': {
    bytes: [
      frame(frameTypes.headers, 0, 1, headerBlock({ ...wholeHead, a: 'x'.repeat(10_000) })),
      frame(frameTypes.continuation, endHeaders, 1, headerBlock({ b: 'x'.repeat(10_000) })),
    ],
    code: enhanceYourCalm,
  },
};

it.each(Object.entries(streamBreaches))('an error of a stream ends it alone: %s', async (_, { bytes, code }) => {
  const bench = new Http2Bench(paused);
  bench.begin(...bytes);
  await until('it is told', () => bench.resets(1).length > 0);
  expect(bench.resets(1)).toEqual([code]);
  expect(bench.requests.every(({ events }) => events.at(-1) === 'closed')).toBe(true);
  // Late frames of the stream are no error, and others go on.
  bench.send(data(1, 10), grow(1, 5), reset(1), headers(1, { late: 'x' }, endStream), open(3), ping);
  await until('it is alive', () => bench.pongs === 1);
  expect(bench.requests.at(-1)?.stream.id).toBe(3);
  expect(bench.resets(1)).toEqual([code]);
  expect(bench.goneWith).toBeUndefined();
  bench.connection.destroy();
});

it('a stream past the largest number is refused, and goes when there is room', async () => {
  const bench = new Http2Bench({}, { streamsMax: 2 });
  bench.begin(open(1), open(3), open(5), data(5, 100, endStream));
  await until('it is told', () => bench.resets(5).length > 0);
  expect(bench.resets(5)).toEqual([errorCode.refusedStream]);
  bench.send(reset(1), open(7), ping);
  await until('it is alive', () => bench.pongs === 1);
  expect(bench.requests.map(({ stream }) => stream.id)).toEqual([1, 3, 7]);
  bench.connection.destroy();
});

it('GOAWAY names the last stream that was looked at, and no later one once the server stops', async () => {
  const bench = new Http2Bench();
  bench.begin(open(1), open(7));
  await until('there are calls', () => bench.requests.length === 2);
  bench.connection.stop();
  bench.send(open(9), data(9, 5), ping, open(2));
  await until('it is told', () => bench.goAways.length === 2);
  expect(bench.goAways).toEqual([
    { lastStream: 7, code: errorCode.none },
    { lastStream: 7, code: errorCode.protocol },
  ]);
  expect(bench.requests.length).toBe(2);
  bench.connection.destroy();
});

it('what handlers say while their connection ends neither fails nor leaves', async () => {
  const bench = new Http2Bench({
    begun: ({ stream }) => stream.pause(),
    closed: () => {
      for (const { stream } of bench.requests) {
        stream.resume();
        stream.respond([{ name: ':status', value: '200' }], false);
        stream.write(new Uint8Array(5), new Uint8Array(100_000));
        stream.end([{ name: 'result', value: 'x' }]);
        stream.reset(errorCode.cancel);
      }
    },
  });
  let failed = false;
  bench.socket.on('error', () => {
    failed = true;
  });
  bench.begin(open(1), open(3), data(1, 16_384), data(3, 16_384), data(3, 16_384), data(3, 16_384), open(5));
  bench.send(frame(frameTypes.ping, 0, 1, Buffer.alloc(8)));
  await until('it is told', () => bench.goneWith !== undefined);
  await new Promise((resolve) => setImmediate(resolve));
  expect(bench.frames.at(-1)?.type).toBe(frameTypes.goAway);
  expect(failed).toBe(false);
  expect(bench.requests.map(({ events }) => events)).toEqual([['closed'], ['closed'], ['closed']]);
  bench.connection.destroy();
});
