// The decoder against another implementation's encoder, nghttp2 in Node: it reads what a real client and server send, and
// neither table nor code of it is right by our own word only.

import { connect, createServer, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { endHeaders, endStream, frame, frameTypes, preface, settings } from '../../test/support/raw-http2.js';
import { until } from '../../test/support/until.js';
import { SeededRandom } from '../shared/random.js';
import { type HeaderField, HpackDecoder } from './hpack-decoder.js';
import { staticTable } from './hpack-tables.js';

const tableBytes = 64 * 2 ** 10;
const listBytes = 2 ** 20;
const headerTableSize = 1;
const concurrentStreamsMax = 3;

/** Header blocks out of what one end sends. */
class BlockReader {
  readonly blocks: Uint8Array[] = [];
  settingsAcknowledged = 0;
  private pending: Buffer = Buffer.alloc(0);
  private fragments: Buffer[] = [];

  constructor(source: Duplex, prefaceBytes: number) {
    let skipped = 0;
    source.on('data', (chunk: Buffer) => {
      const skip = Math.min(prefaceBytes - skipped, chunk.length);
      skipped += skip;
      this.pending = Buffer.concat([this.pending, chunk.subarray(skip)]);
      while (this.readFrame());
    });
  }

  private readFrame(): boolean {
    if (this.pending.length < 9) return false;
    const end = 9 + this.pending.readUIntBE(0, 3);
    if (this.pending.length < end) return false;
    const [, , , type = 0, flags = 0] = this.pending;
    if (type === frameTypes.settings && flags === 1) this.settingsAcknowledged++;
    if (type === frameTypes.headers || type === frameTypes.continuation) {
      if ((flags & ~(endStream | endHeaders)) !== 0) throw new Error(`Cannot read frame: flags are ${flags}`);
      this.fragments.push(this.pending.subarray(9, end));
      if ((flags & endHeaders) !== 0) {
        this.blocks.push(new Uint8Array(Buffer.concat(this.fragments)));
        this.fragments = [];
      }
    }
    this.pending = this.pending.subarray(end);
    return true;
  }
}

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A client whose blocks are read as they come, and nobody answers. */
async function client(): Promise<{
  blocksOf(headers: readonly OutgoingHttpHeaders[]): Promise<readonly Uint8Array[]>;
  resizeTable(bytes: number): Promise<void>;
}> {
  const [ours, theirs] = duplexPair();
  const reader = new BlockReader(theirs, preface.length);
  const session = connect('http://test', { createConnection: () => ours, maxDeflateDynamicTableSize: tableBytes });
  closing.push(() => session.destroy());
  const set = async (id: number, value: number): Promise<void> => {
    const acknowledged = reader.settingsAcknowledged;
    theirs.write(settings([id, value]));
    await until('the settings are acknowledged', () => reader.settingsAcknowledged > acknowledged);
  };
  await set(concurrentStreamsMax, 2 ** 20);
  return {
    async blocksOf(headers) {
      const from = reader.blocks.length;
      for (const each of headers) session.request(each, { endStream: true }).on('error', () => undefined);
      await until('all requests are sent', () => reader.blocks.length === from + headers.length);
      return reader.blocks.slice(from);
    },
    resizeTable: (bytes) => set(headerTableSize, bytes),
  };
}

const start = { ':method': 'GET', ':scheme': 'http', ':authority': 'test', ':path': '/' };

/** Names in order, values of a name as they came. */
function sorted(lines: readonly (readonly [string, string])[]): (readonly [string, string])[] {
  return lines.toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
}

function linesOf(fields: readonly HeaderField[] | null): (readonly [string, string])[] {
  if (fields === null) throw new Error('There is no list');
  return sorted(fields.map(({ name, value }) => [name, value]));
}

function linesSent(headers: OutgoingHttpHeaders): (readonly [string, string])[] {
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    return (Array.isArray(value) ? value : [String(value)]).map((each) => [name, each] as const);
  });
  return sorted(lines);
}

test('the code of every octet is that of nghttp2', async () => {
  const decoder = new HpackDecoder(tableBytes);
  // 0x00 cannot be sent. Enough short codes around it make the code shorter than the octets, so that it is used.
  const around = 'a'.repeat(12);
  const headers = Array.from({ length: 255 }, (_, at) => ({
    ...start,
    x: `${around}${String.fromCharCode(at + 1)}${around}`,
  }));
  const blocks = await (await client()).blocksOf(headers);
  for (const [at, block] of blocks.entries()) {
    expect(linesOf(decoder.decode(block, listBytes))).toEqual(linesSent(headers[at] ?? {}));
    expect(Buffer.from(block).includes('aaa')).toBe(false);
  }
});

test('names and values of the static table are those of nghttp2', async () => {
  const decoder = new HpackDecoder(tableBytes);
  // Node sends no transfer-encoding in HTTP/2.
  const names = staticTable.map(({ name }) => name).filter((name) => !/^:|^transfer-encoding$/.test(name));
  const headers: OutgoingHttpHeaders[] = [start, ...[...new Set(names)].map((name) => ({ ...start, [name]: '!' }))];
  const values = { ':method': 'POST', ':scheme': 'https', ':authority': 'test', ':path': '/index.html' };
  headers.push({ ...values, 'accept-encoding': 'gzip, deflate' });
  const blocks = await (await client()).blocksOf(headers);
  for (const [at, block] of blocks.entries()) {
    expect(linesOf(decoder.decode(block, listBytes))).toEqual(linesSent(headers[at] ?? {}));
    // Four indices, an index of a name, a length and one octet: nothing is spelled out.
    if (at > 0) expect(block.length).toBeLessThanOrEqual(4 + 2 + 2);
  }
  expect(blocks.at(-1)).toEqual(expect.objectContaining({ length: 5 }));

  const [ours, theirs] = duplexPair();
  const reader = new BlockReader(theirs, 0);
  const statuses = ['200', '204', '206', '304', '400', '404', '500'];
  const server = createServer();
  server.on('stream', (stream) => {
    stream.respond({ ':status': Number(statuses[((stream.id ?? 1) - 1) / 2]) }, { endStream: true });
  });
  server.emit('connection', ours);
  closing.push(() => theirs.destroy());
  const request = Uint8Array.of(0x82, 0x86, 0x84, 0x41, 0x01, 0x61);
  const requests = statuses.map((_, at) => frame(frameTypes.headers, endHeaders | endStream, 2 * at + 1, request));
  theirs.write(Buffer.concat([preface, settings(), ...requests]));
  await until('all requests are answered', () => reader.blocks.length === statuses.length);
  const responses = new HpackDecoder(tableBytes);
  for (const [at, block] of reader.blocks.entries()) {
    expect(responses.decode(block, listBytes)?.[0]).toMatchObject({ name: ':status', value: statuses[at] });
    expect(block[0]).toBe(0x80 + 8 + at);
  }
});

const nameOctets = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";

function randomHeaders(random: SeededRandom): OutgoingHttpHeaders {
  const name = (): string => {
    return `x${Array.from({ length: random.below(12) }, () => nameOctets[random.below(nameOctets.length)]).join('')}`;
  };
  const value = (): string => {
    const length = random.chance(0.05) ? random.below(3000) : random.below(80);
    const [low, high] = random.chance(0.5) ? [0x20, 0x7f] : [0x01, 0x100];
    return Array.from({ length }, () => String.fromCharCode(low + random.below(high - low))).join('');
  };
  const headers: OutgoingHttpHeaders = { ...start, ':path': `/${name()}` };
  const secret = name();
  for (let count = random.below(10); count > 0; count--)
    headers[name()] = random.chance(0.2) ? [value(), value()] : value();
  headers[secret] = value();
  return random.chance(0.3) ? { ...headers, [sensitiveHeaders]: [secret] } : headers;
}

test('random requests on one connection whose table changes its size are read as they were sent', async () => {
  const random = new SeededRandom(11);
  const decoder = new HpackDecoder(tableBytes);
  const { blocksOf, resizeTable } = await client();
  let remembered = 0;
  for (const bytes of [4096, 0, 256, tableBytes, 100, 4096, 20_000]) {
    await resizeTable(bytes);
    const seen = new Set<readonly HeaderField[]>();
    const some = Array.from({ length: 8 }, () => randomHeaders(random));
    const headers = Array.from({ length: 30 }, () => {
      return random.chance(0.1) ? randomHeaders(random) : (some[random.below(some.length)] ?? {});
    });
    // The same one again and again: the same references, which change when another came between.
    const few = { ...start, 'content-type': 'application/grpc', te: 'trailers' };
    const sent = headers.flatMap((each) => [each, few, few, few]);
    const blocks = await blocksOf(sent);
    for (const [at, block] of blocks.entries()) {
      const list = decoder.decode(block, listBytes);
      expect(linesOf(list)).toEqual(linesSent(sent[at] ?? {}));
      if (list !== null && seen.has(list)) remembered++;
      if (list !== null) seen.add(list);
    }
  }
  expect(remembered).toBeGreaterThan(200);
});
