import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ContentLists,
  contentOf,
  deletedVersion,
  emptyContent,
  inMemory,
  putVersion,
  readAll,
  snapshotFile,
} from '../../test/support/snapshot-files.js';
import { compareBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { elementBytes, pageFlags, readPageHeader, writtenPageBytes } from './bolt-format.js';
import type { SnapshotVersion } from './snapshot-content.js';
import { SnapshotReader } from './snapshot-reader.js';
import { measureSnapshot, writeSnapshot } from './snapshot-writer.js';

/** Uint8Arrays and Buffers alike as text, so that equal bytes are equal. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part === 'bigint') return `${part}n`;
      if (part instanceof Uint8Array) return Buffer.from(part).toString('hex');
      if (typeof part === 'object' && part !== null && 'type' in part && part.type === 'Buffer' && 'data' in part)
        return Buffer.from(part.data as number[]).toString('hex');
      return part;
    }),
  );
}

function expectRoundTrip(lists: ContentLists): void {
  const { members: _, ...expected } = lists;
  expect(plain(readAll(snapshotFile(contentOf(lists))))).toEqual(plain(expected));
}

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: 1, maxLength });

/** Revisions in order, each with changes of different keys in order. */
const versions: fc.Arbitrary<readonly SnapshotVersion[]> = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 2 ** 40 }),
      changes: fc.uniqueArray(
        fc.record({
          key: bytes(900),
          value: fc.oneof(
            { weight: 9, arbitrary: fc.uint8Array({ maxLength: 300 }) },
            { weight: 1, arbitrary: fc.uint8Array({ minLength: 3000, maxLength: 9000 }) },
          ),
          deleted: fc.boolean(),
          lease: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
        }),
        { minLength: 1, maxLength: 5, selector: ({ key }) => Buffer.from(key).toString('hex') },
      ),
    }),
    { maxLength: 60 },
  )
  .map((revisions) => {
    let revision = 1;
    return revisions.flatMap(({ gap, changes }) => {
      revision += gap;
      return changes
        .sort((a, b) => compareBytes(a.key, b.key))
        .map(({ key, value, deleted, lease }) =>
          deleted ? deletedVersion(key, revision) : putVersion(key, value, revision, { lease }),
        );
    });
  });

const text = fc.string({ minLength: 1, unit: 'grapheme' });
const lists: fc.Arbitrary<ContentLists> = fc.record({
  facts: fc.record({
    compactedRevision: fc.maxSafeNat(),
    consistentIndex: fc.maxSafeNat(),
    term: fc.maxSafeNat(),
    accessEnabled: fc.boolean(),
    accessRevision: fc.maxSafeNat(),
  }) as fc.Arbitrary<unknown> as fc.Arbitrary<ContentLists['facts']>,
  versions,
  leases: fc
    .uniqueArray(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), { maxLength: 300 })
    .map((ids) =>
      ids
        .sort((a, b) => (a < b ? -1 : 1))
        .map((id) => ({ id, ttlSeconds: Number(id % 999n), remainingSeconds: Number(id % 7n) })),
    ),
  alarms: fc.constantFrom(
    [],
    [
      { member: 7n, type: 1 },
      { member: 2n ** 64n - 1n, type: 2 },
    ],
  ),
  users: fc
    .uniqueArray(fc.record({ name: text, passwordHash: bytes(60), roles: fc.array(text), noPassword: fc.boolean() }), {
      selector: ({ name }) => name,
    })
    .map((users) => users.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))),
  roles: fc.constantFrom(
    [],
    [
      { name: 'guest', permissions: [] },
      {
        name: 'ops',
        permissions: [
          { type: 'read' as const, key: Buffer.from('a'), rangeEnd: Buffer.from([0]) },
          { type: 'readwrite' as const, key: Buffer.from('b'), rangeEnd: Buffer.alloc(0) },
        ],
      },
    ],
  ),
  members: fc.constantFrom([], [{ id: 2n ** 64n - 1n, name: 'a"b', peerUrls: ['http://a:1'], clientUrls: [] }]),
});

describe('a snapshot file', () => {
  it('gives back what was written', () => {
    fc.assert(fc.property(lists, expectRoundTrip), { numRuns: 60 });
  });

  it('of an empty store has all buckets and no version', () => {
    expectRoundTrip(emptyContent);
  });

  it('has branch pages over branch pages, and finds every row below them', () => {
    const many = Array.from({ length: 30_000 }, (_, index) =>
      putVersion(`key ${index % 100}`, 'v'.repeat(400), index + 2),
    );
    const file = snapshotFile(contentOf({ ...emptyContent, versions: many }));
    expect(branchLevels(file)).toBeGreaterThanOrEqual(2);
    const read = new SnapshotReader(inMemory(file)).versions();
    let count = 0;
    for (const version of read) {
      if (version.modRevision !== count + 2) throw new Error(`revision ${version.modRevision} stands at ${count}`);
      count++;
    }
    expect(count).toBe(30_000);
  });

  it('takes a value of any size into pages of its own', () => {
    const big = [1, 2, 3].map((index) => putVersion('big', Buffer.alloc(1_500_000, index), index + 1));
    expectRoundTrip({ ...emptyContent, versions: [...big, putVersion('small', 'x', 9)] });
  });

  it('is written with a few pages in memory: each page comes before the next row is asked for', () => {
    let asked = 0;
    const content = {
      ...contentOf(emptyContent),
      *versions(): Generator<SnapshotVersion> {
        for (let index = 0; index < 5_000; index++) {
          asked++;
          yield putVersion(`key ${index}`, 'v'.repeat(1_000), index + 2);
        }
      },
    };
    const measuring = measureSnapshot(content);
    let size = measuring.next();
    while (size.done !== true) size = measuring.next();
    asked = 0;
    let written = 0;
    for (const page of writeSnapshot(content, size.value)) {
      written += page?.length ?? 0;
      // What was asked for and is not written yet, of 1,000 bytes each.
      expect(asked * 1_000 - written).toBeLessThan(3 * writtenPageBytes);
    }
  });

  it('hands on every pause of its content, in both passes', () => {
    const pauses = [null, putVersion('a', '1', 2), null, null, putVersion('b', '2', 3)];
    const content = { ...contentOf(emptyContent), versions: () => pauses };
    const measuring = measureSnapshot(content);
    let nulls = 0;
    let size = measuring.next();
    for (; size.done !== true; size = measuring.next()) nulls++;
    // The first pass pauses after every page too.
    expect(nulls).toBeGreaterThanOrEqual(3);
    expect([...writeSnapshot(content, size.value)].filter((page) => page === null)).toHaveLength(3);
  });

  it('is not finished over a content that has changed since it was measured', () => {
    let rows = 10;
    const content = {
      ...contentOf(emptyContent),
      versions: () => Array.from({ length: rows }, (_, index) => putVersion('k', 'v'.repeat(3_000), index + 2)),
    };
    const measuring = measureSnapshot(content);
    let size = measuring.next();
    while (size.done !== true) size = measuring.next();
    rows = 20;
    const measured = size.value;
    expect(() => [...writeSnapshot(content, measured)]).toThrow('its content has changed since it was measured');
  });
});

describe('SnapshotReader', () => {
  it('puts the changes of a revision in order of their keys', () => {
    const versions = [
      putVersion('b', '1', 5),
      putVersion('c', '2', 5),
      putVersion('a', '3', 5),
      putVersion('a', '4', 6),
    ];
    const file = snapshotFile(contentOf({ ...emptyContent, versions }));
    const keys = readAll(file).versions.map(({ key, modRevision }) => `${modRevision} ${Buffer.from(key)}`);
    expect(keys).toEqual(['5 a', '5 b', '5 c', '6 a']);
  });

  it('takes the last change where a revision changed a key twice', () => {
    const versions = [deletedVersion('a', 5), putVersion('b', '1', 5), putVersion('a', '2', 5)];
    const read = readAll(snapshotFile(contentOf({ ...emptyContent, versions }))).versions;
    expect(read.map(({ record }) => Buffer.from(record?.value ?? []).toString())).toEqual(['2', '1']);
  });

  it('counts a compaction that was begun and not finished', () => {
    const facts = { ...emptyContent.facts, compactedRevision: 30 as Revision };
    expect(readAll(snapshotFile(contentOf({ ...emptyContent, facts }))).facts.compactedRevision).toBe(30);
  });

  it('reads a database without a checksum and says so', () => {
    const file = snapshotFile(contentOf({ ...emptyContent, versions: [putVersion('a', '1', 2)] }));
    const reader = new SnapshotReader(inMemory(file.subarray(0, file.length - 32)));
    expect(reader.hasChecksum).toBe(false);
    expect([...reader.versions()]).toHaveLength(1);
    expect(() => reader.verifyChecksum()).toThrow('it does not end with a checksum');
  });
});

/** Depth of the deepest branch page over leaves, by the first child of each. */
function branchLevels(file: Buffer): number {
  let deepest = 0;
  for (let page = 3; (page + 1) * writtenPageBytes <= file.length; page++) {
    let levels = 0;
    for (let at = page; ; levels++) {
      const bytes = file.subarray(at * writtenPageBytes, (at + 1) * writtenPageBytes);
      const header = readPageHeader(bytes);
      if (header.id !== at || header.flags !== pageFlags.branch) break;
      at = Number(bytes.readBigUInt64LE(16 + elementBytes - 8));
    }
    deepest = Math.max(deepest, levels);
  }
  return deepest;
}
