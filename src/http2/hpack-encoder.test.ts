// What the encoder writes, read by the decoder: the same fields whatever the client grants its table, and in few bytes.

import { expect, it } from 'vitest';
import { SeededRandom } from '../shared/random.js';
import { HpackDecoder } from './hpack-decoder.js';
import { HpackEncoder, type SentFields } from './hpack-encoder.js';

const answer: SentFields = [
  { name: ':status', value: '200', repeated: true },
  { name: 'content-type', value: 'application/grpc', repeated: true },
];
const trailers: SentFields = [{ name: 'grpc-status', value: '0', repeated: true }];
const failure: SentFields = [
  { name: ':status', value: '415' },
  { name: 'content-type', value: 'application/grpc', repeated: true },
  { name: 'grpc-status', value: '13' },
  { name: 'grpc-message', value: `${'x'.repeat(4_000)}\xff` },
];
const lists = [answer, trailers, failure];
const listBytesMax = 65_536;

function plain(fields: SentFields): readonly (readonly string[])[] {
  return fields.map(({ name, value }) => [name, value]);
}

/** What a client reads, that has granted so much. */
class Reader {
  readonly encoder = new HpackEncoder();
  readonly decoder = new HpackDecoder(4_096);

  read(fields: SentFields): { readonly bytes: number; readonly read: readonly (readonly string[])[] } {
    const block = this.encoder.encode(fields);
    const read = this.decoder.decode(block, listBytesMax) ?? [];
    return { bytes: block.length, read: read.map(({ name, value }) => [name, value]) };
  }
}

it('what comes again is one byte a field', () => {
  const reader = new Reader();
  for (let round = 0; round < 5; round++) {
    for (const list of lists) expect(reader.read(list).read).toEqual(plain(list));
  }
  expect(reader.read(answer).bytes).toBe(2);
  expect(reader.read(trailers).bytes).toBe(1);
  // What is not said to come again is not in the table.
  expect(reader.read(failure).bytes).toBeGreaterThan(4_000);
});

it('a table that is taken away, granted again, or too small is followed at once', () => {
  for (const bytes of [[0], [100], [255], [256], [4_096], [2 ** 32 - 1], [0, 4_096], [300, 0, 100, 5_000]]) {
    const reader = new Reader();
    for (const list of lists) reader.read(list);
    for (const one of bytes) reader.encoder.setTableBytesMax(one);
    // A client forgets what the smallest of its tables had no room for, before it acknowledges that it has.
    const first = reader.encoder.encode(answer);
    if (Math.min(...bytes) < 4_096) expect(first[0]).toBe(0x20);
    expect(reader.decoder.decode(first, listBytesMax)?.map(({ name, value }) => [name, value])).toEqual(plain(answer));
    for (let round = 0; round < 3; round++) {
      for (const list of lists) expect(reader.read(list).read).toEqual(plain(list));
    }
    const granted = bytes.at(-1) ?? 0;
    expect(reader.read(trailers).bytes).toBe(granted < 256 ? 15 : 1);
  }
});

it('random lists and tables are read as they were written', () => {
  const random = new SeededRandom(7);
  const reader = new Reader();
  const repeated = Array.from({ length: 120 }, (_, index) => ({
    name: `name-${index % 7}`,
    value: 'v'.repeat(index),
    repeated: true,
  }));
  for (let round = 0; round < 2_000; round++) {
    if (random.below(40) === 0) reader.encoder.setTableBytesMax(random.below(6_000));
    const kept = repeated.slice(random.below(60), random.below(120));
    const list = [...(lists[random.below(lists.length)] ?? []), ...kept, { name: 'x', value: String(random.below(9)) }];
    expect(reader.read(list).read).toEqual(plain(list));
  }
});
