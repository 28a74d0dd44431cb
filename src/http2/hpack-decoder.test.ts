// The decoder of header blocks by the letter of RFC 7541: its examples, its errors, its bounds; and that what it remembers
// is what it would read.

import { describe, expect, test } from 'vitest';
import { Mutator } from '../../test/fuzz/mutator.js';
import { type HeaderField, HpackDecoder, HpackError } from './hpack-decoder.js';

const tableBytes = 4096;
const listBytes = 16 * 2 ** 10;

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
}

function joined(...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts.map((part) => Uint8Array.from(part))));
}

/** An integer behind the bits of a representation. */
function integer(bits: number, prefix: number, value: number): number[] {
  if (value < prefix) return [bits | value];
  const octets = [bits | prefix];
  let rest = value - prefix;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) octets.push((rest % 0x80) + 0x80);
  octets.push(rest);
  return octets;
}

function plain(text: string): Uint8Array {
  return joined(integer(0, 0x7f, text.length), Buffer.from(text, 'latin1'));
}

const indexed = (index: number): number[] => integer(0x80, 0x7f, index);
const added = (name: string, value: string): Uint8Array => joined([0x40], plain(name), plain(value));
const unindexed = (name: string, value: string): Uint8Array => joined([0x00], plain(name), plain(value));
const neverIndexed = (name: string, value: string): Uint8Array => joined([0x10], plain(name), plain(value));
const tableSize = (bytes: number): number[] => integer(0x20, 0x1f, bytes);

function lines(fields: readonly HeaderField[] | null): string[] | null {
  return fields?.map(({ name, value }) => `${name}: ${value}`) ?? null;
}

function decoded(decoder: HpackDecoder, block: Uint8Array | readonly number[]): string[] | null {
  return lines(decoder.decode(Uint8Array.from(block), listBytes));
}

/** What the dynamic table holds, newest first: asks for each index until there is none. */
function tableOf(decoder: HpackDecoder): string[] {
  const table: string[] = [];
  for (;;) {
    try {
      table.push(...(decoded(decoder, indexed(62 + table.length)) ?? []));
    } catch (error) {
      expect(error).toBeInstanceOf(HpackError);
      return table;
    }
  }
}

const start = (scheme: string, path: string): string[] => [
  ':method: GET',
  `:scheme: ${scheme}`,
  `:path: ${path}`,
  ':authority: www.example.com',
];
const requestLists = [
  start('http', '/'),
  [...start('http', '/'), 'cache-control: no-cache'],
  [...start('https', '/index.html'), 'custom-key: custom-value'],
];
const requestTable = ['custom-key: custom-value', 'cache-control: no-cache', ':authority: www.example.com'];

const early = 'date: Mon, 21 Oct 2013 20:13:21 GMT';
const late = 'date: Mon, 21 Oct 2013 20:13:22 GMT';
const location = 'location: https://www.example.com';
const cookie = 'set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1';
const privately = 'cache-control: private';
const responseLists = [
  [':status: 302', privately, early, location],
  [':status: 307', privately, early, location],
  [':status: 200', privately, late, location, 'content-encoding: gzip', cookie],
];
const responseTables = [
  [location, early, privately, ':status: 302'],
  [':status: 307', location, early, privately],
  [cookie, 'content-encoding: gzip', late],
];

const examples = {
  'C.3': [
    '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
    '8286 84be 5808 6e6f 2d63 6163 6865',
    '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
  ],
  'C.4': [
    '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
    '8286 84be 5886 a8eb 1064 9cbf',
    '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
  ],
  'C.5': [
    `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d
     546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
    '4803 3330 37c1 c0bf',
    `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f
     6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b
     2076 6572 7369 6f6e 3d31`,
  ],
  'C.6': [
    `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7
     8f0b 97c8 e9ae 82ae 43d3`,
    '4883 640e ffc1 c0bf',
    `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335
     dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
  ],
} as const;

describe('the examples of RFC 7541', () => {
  test('C.2: one field in each form', () => {
    const decoder = new HpackDecoder(tableBytes);
    expect(decoded(decoder, bytesOf('400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572'))).toEqual([
      'custom-key: custom-header',
    ]);
    expect(decoded(decoder, bytesOf('040c 2f73 616d 706c 652f 7061 7468'))).toEqual([':path: /sample/path']);
    expect(decoded(decoder, bytesOf('1008 7061 7373 776f 7264 0673 6563 7265 74'))).toEqual(['password: secret']);
    expect(decoder.decode(Uint8Array.of(0x82), listBytes)).toEqual([{ name: ':method', value: 'GET', size: 42 }]);
    expect(tableOf(decoder)).toEqual(['custom-key: custom-header']);
  });

  test.each(['C.3', 'C.4'] as const)('%s: requests on one connection', (section) => {
    const decoder = new HpackDecoder(tableBytes);
    expect(examples[section].map((hex) => decoded(decoder, bytesOf(hex)))).toEqual(requestLists);
    expect(tableOf(decoder)).toEqual(requestTable);
  });

  test.each(['C.5', 'C.6'] as const)('%s: responses with a table of 256 bytes, which evicts', (section) => {
    const decoder = new HpackDecoder(256);
    expect(decoded(decoder, tableSize(256))).toEqual([]);
    for (const [at, hex] of examples[section].entries()) {
      expect(decoded(decoder, bytesOf(hex))).toEqual(responseLists[at]);
      expect(tableOf(decoder)).toEqual(responseTables[at]);
    }
  });
});

describe('HpackDecoder refuses', () => {
  const long = 'v'.repeat(200);
  test.each<[string, Uint8Array | readonly number[]]>([
    ['index 0', indexed(0)],
    ['an index behind the static table while the dynamic one is empty', indexed(62)],
    ['an index behind both', joined(added('a', 'b'), indexed(63))],
    ['a large index', indexed(2 ** 28)],
    ['a name at an index behind both', joined(integer(0x40, 0x3f, 62), plain('v'))],
    ['an integer of more than 28 bits', [0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['an integer with zeros in front of it', [0xff, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['an integer that would wrap around to a valid one', [0xff, 0x83, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00]],
    ['a table larger than allowed', tableSize(tableBytes + 1)],
    ['a change of the table behind a field', joined([0x82], tableSize(0))],
    ['a string longer than the block', [0x00, 0x01, 0x61, 0x05, 0x61]],
    ['a string of 2^28 octets', joined([0x00], integer(0, 0x7f, 2 ** 28), [0x61])],
    ['padding of eight bits', [0x00, 0x82, 0xf8, 0xff, 0x00]],
    ['padding that is not all ones', [0x00, 0x81, 0x18, 0x00]],
    ['padding alone, eight bits', [0x00, 0x81, 0xff, 0x00]],
    ['the code of the end of a string, padded', [0x00, 0x84, 0xff, 0xff, 0xff, 0xff, 0x00]],
    ['the code of the end behind an octet', [0x00, 0x85, 0x1f, 0xff, 0xff, 0xff, 0xff, 0x00]],
    ['the code of the end in the midst', [0x00, 0x85, 0xff, 0xff, 0xff, 0xfc, 0x7f, 0x00]],
  ])('%s', (_, block) => {
    const decoder = new HpackDecoder(tableBytes);
    expect(() => decoder.decode(Uint8Array.from(block), listBytes)).toThrow(HpackError);
  });

  test.each<[string, Uint8Array]>([
    ['a literal that is added', added('name', long)],
    ['a literal that is not', unindexed('name', long)],
    ['a literal that is never', neverIndexed('name', long)],
    ['a name from the table', joined(integer(0x00, 0x0f, 58), plain(long))],
    ['an index of the dynamic table', joined(tableSize(4000), indexed(300))],
    ['a code', bytesOf('4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf')],
  ])('every cut of %s', (_, block) => {
    const complete = new Set([0, block.length]);
    // A block may well end behind a change of the table.
    if (((block[0] ?? 0) & 0xe0) === 0x20) complete.add(tableSize(4000).length);
    for (let length = 0; length < block.length; length++) {
      if (complete.has(length)) continue;
      const decode = (): unknown => new HpackDecoder(tableBytes).decode(block.subarray(0, length), listBytes);
      expect(decode, `${length} of ${block.length} bytes`).toThrow(HpackError);
    }
  });
});

describe('HpackDecoder', () => {
  test('reads octets that are no ASCII, strings without octets, and the longest padding', () => {
    const decoder = new HpackDecoder(tableBytes);
    const octets = String.fromCharCode(...Array.from({ length: 256 }, (_, octet) => octet));
    expect(decoded(decoder, unindexed('all', octets))).toEqual([`all: ${octets}`]);
    // 0x00 is 1ff8 in 13 bits; ones pad.
    expect(decoded(decoder, [0x00, 0x01, 0x61, 0x82, 0xff, 0xc7])).toEqual(['a: \0']);
    // No octets at all, and seven bits of padding.
    expect(decoded(decoder, [0x00, 0x01, 0x61, 0x80])).toEqual(['a: ']);
    expect(decoded(decoder, [0x00, 0x01, 0x61, 0x83, 0x02, 0x8a, 0x7f])).toEqual(['a: 0  ']);
  });

  test('begins with the size that every peer begins with, and takes any allowed one', () => {
    const value = 'v'.repeat(1000);
    const small = new HpackDecoder(0);
    expect(decoded(small, joined(added('a', value), indexed(62)))).toHaveLength(2);
    expect(() => decoded(small, tableSize(1))).toThrow(HpackError);
    const large = new HpackDecoder(64 * 2 ** 10);
    const many = (count: number): Uint8Array => joined(...Array.from({ length: count }, (_, at) => added(`${at}`, '')));
    decoded(large, many(2000));
    expect(tableOf(large)).toHaveLength(113);
    decoded(large, tableSize(64 * 2 ** 10));
    decoded(large, many(2000));
    expect(tableOf(large)).toHaveLength(1843);
    decoded(large, tableSize(100));
    expect(tableOf(large)).toEqual(['1999: ', '1998: ']);
    // The least of several at the beginning of a block counts too.
    decoded(large, joined(tableSize(40), tableSize(4096)));
    expect(tableOf(large)).toEqual(['1999: ']);
    decoded(large, joined(tableSize(0), tableSize(4096)));
    expect(tableOf(large)).toEqual([]);
  });

  test('empties the table for a field larger than it, and takes its name from there before', () => {
    const decoder = new HpackDecoder(tableBytes);
    decoded(decoder, joined(added('first', 'a'), added('second', 'b')));
    const large = 'v'.repeat(4096 - 32 - 5);
    expect(decoded(decoder, joined(integer(0x40, 0x3f, 63), plain(large)))).toEqual([`first: ${large}`]);
    expect(tableOf(decoder)).toEqual([`first: ${large}`]);
    expect(decoded(decoder, joined(integer(0x40, 0x3f, 62), plain(`${large}v`)))).toEqual([`first: ${large}v`]);
    expect(tableOf(decoder)).toEqual([]);
  });

  test('gives no list past its bound, and keeps the table in step', () => {
    const decoder = new HpackDecoder(tableBytes);
    const block = joined(unindexed('a', 'b'), added('c', 'd'));
    expect(decoder.decode(block, 67)).toBeNull();
    expect(tableOf(decoder)).toEqual(['c: d']);
    expect(lines(decoder.decode(block, 68))).toEqual(['a: b', 'c: d']);
    // Remembered blocks are held to it as well.
    const references = Uint8Array.from([...indexed(62), ...indexed(63)]);
    expect(decoder.decode(references, 68)).toHaveLength(2);
    expect(decoder.decode(references, 67)).toBeNull();
    expect(decoder.decode(references, 68)).toHaveLength(2);
  });

  test('takes no memory for a million references to a large field', () => {
    const decoder = new HpackDecoder(tableBytes);
    const bomb = joined(added('bomb', 'v'.repeat(4000)), new Uint8Array(2 ** 20).fill(0xbe));
    const before = process.memoryUsage().heapUsed;
    expect(decoder.decode(bomb, listBytes)).toBeNull();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2 ** 20);
    expect(decoded(decoder, indexed(62))).toEqual([`bomb: ${'v'.repeat(4000)}`]);
  });
});

describe('a block that HpackDecoder remembers', () => {
  const decode = (decoder: HpackDecoder, block: Uint8Array): readonly HeaderField[] | null =>
    decoder.decode(block, listBytes);

  test('gives the same list until the table changes', () => {
    const decoder = new HpackDecoder(tableBytes);
    const block = Uint8Array.from([0x82, ...indexed(62)]);
    const references = Buffer.from(block);
    decode(decoder, added('a', '1'));
    const list = decode(decoder, block);
    // Its bytes may be overwritten once it was decoded.
    block.fill(0);
    expect(decode(decoder, references)).toBe(list);
    decode(decoder, added('a', '2'));
    expect(lines(decode(decoder, references))).toEqual([':method: GET', 'a: 2']);
    expect(lines(list)).toEqual([':method: GET', 'a: 1']);
    // A change within the block that comes before, and one of the table's size.
    expect(decoded(decoder, joined(references, added('a', '3'), references))).toHaveLength(5);
    expect(lines(decode(decoder, references))).toEqual([':method: GET', 'a: 3']);
    decode(decoder, Uint8Array.from(tableSize(0)));
    expect(() => decode(decoder, references)).toThrow(HpackError);
  });

  test('may spell out fields, unless they change the table or are secrets', () => {
    const decoder = new HpackDecoder(tableBytes);
    const path = joined([0x83], unindexed(':path', '/etcdserverpb.KV/Put'));
    expect(decode(decoder, path)).toBe(decode(decoder, path));
    const secret = joined([0x83], neverIndexed('token', 'secret'));
    expect(decode(decoder, secret)).not.toBe(decode(decoder, secret));
    const growing = joined([0x83], added('a', 'b'));
    expect(decode(decoder, growing)).not.toBe(decode(decoder, growing));
    expect(tableOf(decoder)).toEqual(['a: b', 'a: b']);
    const long = unindexed('a', 'v'.repeat(200));
    expect(decode(decoder, long)).not.toBe(decode(decoder, long));
  });

  test('is forgotten when there are many others, few large ones or many small ones', () => {
    for (const [length, count] of [
      [3, 70],
      [100, 24],
    ] as const) {
      const decoder = new HpackDecoder(tableBytes);
      const block = (number: number): Uint8Array =>
        new Uint8Array(length).fill(0x82).fill(0x81 + (number % 60), number % 3);
      const blocks = Array.from({ length: count }, (_, at) =>
        joined([0x81 + (at % 61), 0x81 + ((at * 7) % 61)], block(at)),
      );
      const lists = blocks.map((each) => decode(decoder, each));
      expect(decode(decoder, joined(blocks[0] ?? []))).not.toBe(lists[0]);
      expect(blocks.map((each) => lines(decode(decoder, each)))).toEqual(lists.map((list) => lines(list)));
    }
  });
});

test('20,000 hostile blocks are decoded or refused with HpackError', () => {
  const inputs = [
    ...Object.values(examples).flatMap((blocks) => blocks.map(bytesOf)),
    Uint8Array.from([0x83, 0x86, 0xbe, 0xbf, 0xc0, 0xc1, 0xc2]),
    joined(tableSize(100), added('name', 'value'), tableSize(4096)),
    joined(neverIndexed('token', 'v'.repeat(300)), added('large', 'v'.repeat(3000)), indexed(62)),
  ];
  const mutator = new Mutator(7);
  let decoder = new HpackDecoder(tableBytes);
  let lists = 0;
  let refusals = 0;
  for (let number = 0; number < 20_000; number++) {
    const bound = mutator.below(2) === 0 ? listBytes : mutator.below(400);
    try {
      const list = decoder.decode(mutator.next(inputs), bound);
      lists++;
      const bytes = list?.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0) ?? 0;
      if (bytes > bound) throw new Error(`A list of ${bytes} bytes where ${bound} are allowed`);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      refusals++;
      decoder = new HpackDecoder(tableBytes);
    }
  }
  // A fuzzer that reaches one side only has lost its way.
  expect(lists).toBeGreaterThan(2_000);
  expect(refusals).toBeGreaterThan(2_000);
});
