// One suite for every tree store: what the tree relies on. The LMDB store also has to agree with its in-memory twin on
// random histories, read for read.

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bytes, compareBytes } from '../shared/bytes.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { FlushBatch, KeyRecord, SessionRecord, TreeMeta, VersionWrite } from '../tree/store.js';
import { LmdbTreeStoreOpener } from './lmdb-tree-store.js';
import { MemoryTreeDisk } from './memory-tree-store.js';
import type { OpenedTreeStore, TreeStoreOpener } from './tree-store-opener.js';

const scheduler = {
  defer: (task: () => void): void => void setImmediate(task),
  after: (delayMs: number, task: () => void): (() => void) => {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

const bytes = (text: string): Bytes => new Uint8Array(Buffer.from(text, 'latin1'));
const text = (value: Bytes): string => Buffer.from(value).toString('latin1');
const user: SpaceId = 1;

function put(key: string, value: string, revision: number, created = revision, version = 1): VersionWrite {
  const modRevision = revision as Revision;
  const createRevision = created as Revision;
  const record = { key: bytes(key), value: bytes(value), createRevision, modRevision, version, lease: 7n };
  return { space: user, key: record.key, modRevision, record };
}

function deletion(key: string, revision: number): VersionWrite {
  return { space: user, key: bytes(key), modRevision: revision as Revision, record: null };
}

function batchOf(versions: readonly VersionWrite[], meta: Partial<Record<keyof TreeMeta, number>>): FlushBatch {
  const sorted = [...versions].sort(
    (a, b) => a.space - b.space || compareBytes(a.key, b.key) || a.modRevision - b.modRevision,
  );
  const filled = { appliedZxid: 1, revision: 1, compactedRevision: 0, sessionsEvictedThrough: 0, ...meta };
  return { meta: filled as TreeMeta, versions: sorted, sessions: [], sessionsEvicted: [], byteLength: 100 };
}

function flush(store: OpenedTreeStore, batch: FlushBatch): Promise<void> {
  return new Promise((resolve, reject) => store.flush(batch, (error) => (error ? reject(error) : resolve())));
}

/** Says whether more is left. */
function compactOnce(store: OpenedTreeStore, revision: number, versionsMax: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    store.compactSlice(revision as Revision, versionsMax, (error, left) => (error ? reject(error) : resolve(left)));
  });
}

async function compact(store: OpenedTreeStore, revision: number, versionsMax: number): Promise<number> {
  for (let slices = 1; ; slices++) {
    if (!(await compactOnce(store, revision, versionsMax))) return slices;
  }
}

function digestOf(store: OpenedTreeStore): Promise<string> {
  return new Promise((resolve, reject) => {
    store.digest((error, result) => {
      if (error !== null || result === null) reject(error ?? new Error('no digest'));
      else resolve(`${result.zxid} ${result.revision} ${result.digest}`);
    });
  });
}

function hashOf(store: OpenedTreeStore, through: number): Promise<string> {
  return new Promise((resolve, reject) => {
    store.hashVersions(through as Revision, (error, result) => {
      if (error !== null || result === null) reject(error ?? new Error('no hash'));
      else resolve(`${result.revision} ${result.compactedRevision} ${result.hash}`);
    });
  });
}

function close(store: OpenedTreeStore): Promise<void> {
  return new Promise((resolve, reject) => store.close((error) => (error ? reject(error) : resolve())));
}

function shown(record: KeyRecord | null | undefined): string {
  if (record === null || record === undefined) return 'none';
  const { key, value, createRevision, modRevision, version, lease } = record;
  return `${text(key)}=${text(value)} ${createRevision} ${modRevision} ${version} ${lease}`;
}

function scan(store: OpenedTreeStore, at: number | undefined, from = '', to?: string): string[] {
  const range = { from: bytes(from), to: to === undefined ? undefined : bytes(to), at: at as Revision | undefined };
  const [records, borrowed] = [false, true].map((borrows) => {
    const seen: string[] = [];
    store.scan(user, { ...range, borrowed: borrows }, (record) => {
      seen.push(shown(record));
      return true;
    });
    return seen;
  });
  expect(borrowed).toEqual(records);
  return records ?? [];
}

function history(store: OpenedTreeStore, from: number, to: number, rowsMax = 1000): { seen: string[]; next: number } {
  const seen: string[] = [];
  const range = { from: from as Revision, to: to as Revision, rowsMax, wants: () => true };
  const next = store.history(range, (change) => {
    seen.push(`${change.modRevision} ${text(change.key)} ${shown(change.record)}`);
    return true;
  });
  return { seen, next };
}

function revisionsOf(store: OpenedTreeStore, key: string, from: number): readonly number[] | undefined {
  return store.keyRevisions(bytes(key), from as Revision, 1000);
}

async function copyImage(from: OpenedTreeStore, to: OpenedTreeStore, chunkBytes: number): Promise<TreeMeta | null> {
  const image = from.image();
  for (let chunk = image.next(chunkBytes); chunk !== null; chunk = image.next(chunkBytes)) {
    const part = chunk;
    await new Promise<void>((resolve, reject) => to.writeImage(part, (error) => (error ? reject(error) : resolve())));
  }
  image.close();
  return new Promise((resolve, reject) => to.finishImage((error, meta) => (error ? reject(error) : resolve(meta))));
}

interface Fixture {
  open(name: string): Promise<OpenedTreeStore>;
  end(): Promise<void>;
}

async function memoryFixture(): Promise<Fixture> {
  const disk = new MemoryTreeDisk({ scheduler });
  return { open: async (name) => disk.open(name), end: async () => undefined };
}

async function lmdbFixture(): Promise<Fixture> {
  const root = await mkdtemp(join(tmpdir(), 'zabtree-store-'));
  const opener: TreeStoreOpener = new LmdbTreeStoreOpener();
  const stores: OpenedTreeStore[] = [];
  return {
    open: async (name) => {
      await mkdir(join(root, name), { recursive: true });
      const store = opener.open(join(root, name));
      stores.push(store);
      return store;
    },
    end: async () => {
      await Promise.all(stores.map((store) => close(store).catch(() => undefined)));
      await rm(root, { recursive: true, force: true });
    },
  };
}

for (const [name, createFixture] of [
  ['MemoryTreeStore', memoryFixture],
  ['LmdbTreeStore', lmdbFixture],
] as const) {
  describe(`${name} as a tree store`, () => {
    let fixture: Fixture;
    let store: OpenedTreeStore;

    beforeEach(async () => {
      fixture = await createFixture();
      store = await fixture.open('tree');
    });

    afterEach(() => fixture.end());

    it('open() of an empty directory gives zxid 0 and the first revision', () => {
      expect(store.meta).toEqual({ appliedZxid: 0, revision: 1, compactedRevision: 0, sessionsEvictedThrough: 0 });
      expect(store.get(user, bytes('a'), undefined)).toBeUndefined();
      expect(scan(store, undefined)).toEqual([]);
    });

    it('flush() makes versions, meta and sessions visible together, and they survive reopening', async () => {
      const session: SessionRecord = {
        client: 9_007_199_254_740_991 as ClientId,
        lastUsed: 5 as Zxid,
        acknowledgedBelow: 3,
        results: [
          { request: 3, code: 'OK', revision: 2 as Revision, zxid: 5 as Zxid },
          { request: 4, code: 'KEY_EXISTS', revision: 2 as Revision, zxid: 6 as Zxid },
        ],
      };
      const batch = batchOf([put('a', 'one', 2), put('b', 'two', 3)], { appliedZxid: 2 ** 40, revision: 3 });
      await flush(store, { ...batch, sessions: [session] });
      await close(store);
      store = await fixture.open('tree');
      expect(store.meta).toEqual({ ...batch.meta });
      expect(shown(store.get(user, bytes('a'), undefined))).toBe('a=one 2 2 1 7');
      expect(store.sessions()).toEqual([session]);
      const copy = await fixture.open('other');
      await copyImage(store, copy, 1000);
      expect(copy.sessions()).toEqual([session]);
      await flush(store, { ...batchOf([], { revision: 3 }), sessionsEvicted: [session.client] });
      expect(store.sessions()).toEqual([]);
    });

    it('get() and scan() read at any revision, deleted and recreated keys included', async () => {
      await flush(store, batchOf([put('a', '1', 2), put('b', '1', 3), put('a', '2', 4, 2, 2)], { revision: 4 }));
      await flush(store, batchOf([deletion('a', 5), put('a', '3', 7), put('c', '1', 6)], { revision: 7 }));
      await flush(store, batchOf([put('a', '4', 8, 7, 2), deletion('b', 9)], { revision: 9 }));
      const expected: [number, string[]][] = [
        [1, []],
        [2, ['a=1 2 2 1 7']],
        [3, ['a=1 2 2 1 7', 'b=1 3 3 1 7']],
        [4, ['a=2 2 4 2 7', 'b=1 3 3 1 7']],
        [5, ['b=1 3 3 1 7']],
        [6, ['b=1 3 3 1 7', 'c=1 6 6 1 7']],
        [7, ['a=3 7 7 1 7', 'b=1 3 3 1 7', 'c=1 6 6 1 7']],
        [8, ['a=4 7 8 2 7', 'b=1 3 3 1 7', 'c=1 6 6 1 7']],
        [9, ['a=4 7 8 2 7', 'c=1 6 6 1 7']],
      ];
      for (const [at, records] of expected) {
        expect(scan(store, at)).toEqual(records);
        for (const key of ['a', 'b', 'c']) {
          const record = records.find((line) => line.startsWith(key)) ?? 'none';
          expect(shown(store.get(user, bytes(key), at as Revision))).toBe(record);
        }
      }
      expect(scan(store, undefined)).toEqual(['a=4 7 8 2 7', 'c=1 6 6 1 7']);
      expect(scan(store, 8, 'b', 'c')).toEqual(['b=1 3 3 1 7']);
    });

    it('history() gives changes by revision and key, whole revisions at a time', async () => {
      await flush(store, batchOf([put('b', '1', 2), put('a', '1', 2), put('a', '2', 3, 2, 2)], { revision: 3 }));
      await flush(store, batchOf([deletion('a', 4), put('a', '9', 5)], { revision: 5 }));
      const lines = ['2 a a=1 2 2 1 7', '2 b b=1 2 2 1 7', '3 a a=2 2 3 2 7', '4 a none', '5 a a=9 5 5 1 7'];
      expect(history(store, 2, 5)).toEqual({ seen: lines, next: 6 });
      expect(history(store, 2, 5, 1)).toEqual({ seen: lines.slice(0, 2), next: 3 });
      expect(history(store, 3, 4)).toEqual({ seen: lines.slice(2, 4), next: 5 });
      expect(history(store, 6, 8)).toEqual({ seen: [], next: 9 });
    });

    it('history() lets its visitor read what a change replaced', async () => {
      const versions = Array.from({ length: 50 }, (_, i) => put(i % 2 === 0 ? 'a' : 'b', `${i}`, i + 2, 2, i + 1));
      await flush(store, batchOf(versions, { revision: 51 }));
      const seen: string[] = [];
      const range = { from: 4 as Revision, to: 51 as Revision, rowsMax: 100, wants: () => true };
      store.history(range, ({ key, modRevision }) => {
        const before = store.get(user, key, (modRevision - 1) as Revision);
        seen.push(`${modRevision} ${text(key)} ${before?.modRevision}`);
        return true;
      });
      expect(seen).toEqual(
        versions.slice(2).map(({ key, modRevision }) => `${modRevision} ${text(key)} ${modRevision - 2}`),
      );
    });

    it('keyRevisions() gives the changes of one key, or says that they are too many', async () => {
      await flush(store, batchOf([put('a', '1', 2), put('b', '1', 2), put('a', '2', 3, 2, 2)], { revision: 3 }));
      await flush(store, batchOf([deletion('a', 4), put('a', '9', 5)], { revision: 5 }));
      const revisions = (name: string, from: number, max = 10): readonly number[] | undefined =>
        store.keyRevisions(bytes(name), from as Revision, max);
      expect(revisions('a', 2)).toEqual([2, 3, 4, 5]);
      expect(revisions('a', 4)).toEqual([4, 5]);
      expect(revisions('a', 6)).toEqual([]);
      expect(revisions('b', 1)).toEqual([2]);
      expect(revisions('c', 1)).toEqual([]);
      expect(revisions('a', 2, 4)).toEqual([2, 3, 4, 5]);
      expect(revisions('a', 2, 3)).toBeUndefined();
      await compact(store, 4, 1000);
      expect(revisions('a', 5)).toEqual([5]);
      expect(revisions('b', 5)).toEqual([]);
    });

    it('compactSlice() removes old versions in slices and leaves reads at later revisions as they were', async () => {
      const versions = Array.from({ length: 20 }, (_, i) => put('a', `${i}`, i + 2, 2, i + 1));
      await flush(store, batchOf([...versions, put('b', 'x', 22), deletion('b', 23)], { revision: 23 }));
      const later = [15, 16, 21, 22, 23].map((at) => scan(store, at));
      expect(await compact(store, 15, 4)).toBeGreaterThan(3);
      expect([15, 16, 21, 22, 23].map((at) => scan(store, at))).toEqual(later);
      expect(history(store, 16, 23).seen).toHaveLength(8);
      expect(history(store, 2, 14).seen).toHaveLength(0);
      expect(history(store, 2, 15).seen).toEqual(['15 a a=13 2 15 14 7']);
      await compact(store, 23, 1000);
      expect(scan(store, 23)).toEqual(['a=19 2 21 20 7']);
      expect(history(store, 2, 22).seen).toHaveLength(0);
    });

    it('compactSlice() keeps deletions at its revision until it is asked to go further, also in an image', async () => {
      const keys = ['a', 'b', 'c', 'd'];
      const puts = keys.map((key) => put(key, '1', 2));
      const deletions = keys.map((key) => deletion(key, 3));
      const meta = { revision: 5, compactedRevision: 3 };
      await flush(store, batchOf([...puts, ...deletions, put('a', '2', 4), put('e', '1', 5)], meta));
      const told = ['3 a none', '3 b none', '3 c none', '3 d none', '4 a a=2 4 4 1 7', '5 e e=1 5 5 1 7'];
      const hash = await hashOf(store, 5);
      const copy = await fixture.open('copy-of-deletions');
      await copyImage(store, copy, 100);
      await compact(store, 3, 2);
      for (const each of [store, copy]) {
        expect(history(each, 3, 5).seen).toEqual(told);
        expect([revisionsOf(each, 'a', 3), revisionsOf(each, 'b', 3)]).toEqual([[3, 4], [3]]);
        expect(scan(each, 3)).toEqual([]);
        expect([await hashOf(each, 5), each.usage().keys]).toEqual([hash, 5]);
        // More of them than a slice may look at hold nothing up.
        await compact(each, 4, 2);
        expect(history(each, 3, 5).seen).toEqual(told.slice(4));
        expect([revisionsOf(each, 'a', 4), revisionsOf(each, 'b', 4), each.usage().keys]).toEqual([[4], [], 2]);
        expect(scan(each, 4)).toEqual(['a=2 4 4 1 7']);
      }
      await close(copy);
    });

    it('get() and scan() find any of thousands of versions of a key, also after compaction', async () => {
      const count = 3000;
      let revision = 1;
      for (let i = 0; i < count; i += 500) {
        const versions: VersionWrite[] = [];
        for (let j = i; j < i + 500; j++) {
          revision += 1;
          // Every hundredth change deletes the key, so that the next one creates it anew.
          versions.push(j % 100 === 99 ? deletion('hot', revision) : put('hot', `${revision}`, revision));
        }
        await flush(store, batchOf(versions, { revision }));
      }
      const valueAt = (at: number): string => ((at - 2) % 100 === 99 ? 'none' : `hot=${at} ${at} ${at} 1 7`);
      const check = (from: number): void => {
        for (let at = from; at <= revision; at += 7) {
          expect(shown(store.get(user, bytes('hot'), at as Revision))).toBe(valueAt(at));
          expect(scan(store, at)).toEqual(valueAt(at) === 'none' ? [] : [valueAt(at)]);
        }
      };
      check(2);
      await compact(store, 1234, 100);
      check(1234);
      await compact(store, 1301, 1000);
      check(1301);
    });

    it('state() is the newest record without its bytes', async () => {
      await flush(store, batchOf([put('a', '1', 2), put('b', '1', 3)], { revision: 3 }));
      await flush(store, batchOf([put('a', '2', 4, 2, 2), deletion('b', 5)], { revision: 5 }));
      expect(store.state(bytes('a'))).toMatchObject({ createRevision: 2, modRevision: 4, version: 2, lease: 7n });
      expect(store.state(bytes('b'))).toBeUndefined();
      expect(store.state(bytes('c'))).toBeUndefined();
      expect(store.state(bytes('x'.repeat(5000)))).toBeUndefined();
    });

    it('keys with zero bytes, prefixes of each other and of the greatest length keep their order', async () => {
      const keys = [
        '\0',
        '\0\0',
        '\0\x01',
        'a',
        'a\0',
        'a\0\0',
        'a\0\xff',
        'a\x01',
        'ab',
        '\xff',
        '\xff\xff',
        '\0'.repeat(900),
      ];
      const firsts = keys.map((key, i) => put(key, 'old', i + 2));
      await flush(store, batchOf(firsts, { revision: 20 }));
      const seconds = keys.map((key, i) => put(key, 'new', i + 30, i + 2, 2));
      await flush(store, batchOf(seconds, { revision: 50 }));
      const ordered = [...keys].sort((a, b) => compareBytes(bytes(a), bytes(b)));
      for (const at of [20, undefined]) {
        const found = scan(store, at).map((line) => line.slice(0, line.indexOf('=')));
        expect(found).toEqual(ordered);
      }
      expect(scan(store, 20).every((line) => line.includes('=old '))).toBe(true);
      expect(scan(store, 20, 'a\0', 'ab').map((line) => line.split('=')[0])).toEqual([
        'a\0',
        'a\0\0',
        'a\0\xff',
        'a\x01',
      ]);
    });

    it('the hash over versions is of those up to its revision, and compaction changes it before its slices have run', async () => {
      await flush(store, batchOf([put('a', 'one', 2), put('a', 'two', 3, 2, 2), put('b', 'x', 4)], { revision: 4 }));
      const before = await hashOf(store, 3);
      expect(before).toMatch(/^3 0 \d+$/);
      await flush(store, batchOf([put('c', 'y', 5), deletion('b', 6)], { appliedZxid: 2, revision: 6 }));
      expect(await hashOf(store, 3)).toBe(before);
      const all = await hashOf(store, 6);
      expect(all.split(' ')[2]).not.toBe(before.split(' ')[2]);
      expect(await hashOf(store, 99)).toBe(all);
      await flush(store, batchOf([], { appliedZxid: 3, revision: 6, compactedRevision: 6 }));
      const compacted = await hashOf(store, 6);
      expect(compacted).toMatch(/^6 6 /);
      expect(compacted.split(' ')[2]).not.toBe(all.split(' ')[2]);
      await compact(store, 6, 1);
      expect(await hashOf(store, 6)).toBe(compacted);
    });

    it('usage grows with what is kept and shrinks when it is compacted', async () => {
      const value = 'x'.repeat(1000);
      const versions = Array.from({ length: 500 }, (_, i) => put('a', value, i + 2, 2, i + 1));
      const empty = store.usage();
      await flush(store, batchOf([...versions, put('b', 'small', 502)], { revision: 502 }));
      const full = store.usage();
      expect(full.keys).toBe(2);
      expect(full.usedBytes - empty.usedBytes).toBeGreaterThan(500 * 1000);
      expect(full.fileBytes).toBeGreaterThanOrEqual(full.usedBytes);
      await flush(store, batchOf([], { appliedZxid: 2, revision: 502, compactedRevision: 502 }));
      await compact(store, 502, 100);
      expect(store.usage().usedBytes).toBeLessThan(empty.usedBytes + 200 * 1000);
    });

    it('a large value comes back whole, and an empty one', async () => {
      const large = 'x'.repeat(1.5 * 2 ** 20);
      await flush(store, batchOf([put('a', large, 2), put('b', '', 3)], { revision: 3 }));
      await flush(store, batchOf([put('a', 'small', 4, 2, 2)], { revision: 4 }));
      expect(store.get(user, bytes('a'), 3 as Revision)?.value.length).toBe(large.length);
      expect(store.get(user, bytes('b'), undefined)?.value.length).toBe(0);
    });

    it('the local space is exported and imported, and is in neither digest nor image', async () => {
      const local = { ...put('node', 'here', 1), space: 3 as SpaceId };
      const before = await digestOf(store);
      await flush(store, { ...batchOf([local], {}), meta: store.meta });
      expect(await digestOf(store)).toBe(before);
      const other = await fixture.open('other');
      expect(await copyImage(store, other, 1000)).toEqual(store.meta);
      expect(other.get(3, bytes('node'), undefined)).toBeUndefined();
      const exported = store.exportLocal();
      await new Promise<void>((resolve, reject) => {
        other.importLocal(exported, (error) => (error ? reject(error) : resolve()));
      });
      expect(shown(other.get(3, bytes('node'), undefined))).toBe('node=here 1 1 1 7');
    });

    it("every replicated space beside the users' is in the digest and the image, and has no past", async () => {
      const spaceIds: readonly SpaceId[] = [2, 4, 5, 6, 7];
      const record = (space: SpaceId, key: string, value: string, revision: number): VersionWrite => ({
        ...put(key, value, revision),
        space,
      });
      const digests = [await digestOf(store)];
      for (const space of spaceIds) {
        await flush(store, batchOf([record(space, 'a', 'old', 1), record(space, 'b', `${space}`, 1)], {}));
        digests.push(await digestOf(store));
      }
      expect(new Set(digests).size).toBe(digests.length);
      const changes = spaceIds.flatMap((space) => [
        record(space, 'a', `new ${space}`, 2),
        { ...deletion('b', 2), space },
      ]);
      await flush(store, batchOf([...changes, put('a', 'user', 2)], { revision: 2 }));
      const copy = await fixture.open('other');
      await copyImage(store, copy, 50);
      for (const each of [store, copy]) {
        for (const space of spaceIds) {
          expect(shown(each.get(space, bytes('a'), undefined))).toBe(`a=new ${space} 2 2 1 7`);
          expect(each.get(space, bytes('b'), undefined)).toBeUndefined();
          const seen: string[] = [];
          each.scan(space, { from: bytes(''), to: undefined, at: undefined }, (found) => seen.push(shown(found)) > 0);
          expect(seen).toEqual([`a=new ${space} 2 2 1 7`]);
        }
      }
      expect(scan(copy, undefined)).toEqual(['a=user 2 2 1 7']);
      expect(await digestOf(copy)).toBe(await digestOf(store));
    });

    it('scan() stops for rowsMax, deleted keys counted, and names the key to go on from', async () => {
      const names = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`);
      await flush(
        store,
        batchOf(
          names.map((name, i) => put(name, 'v', i + 2)),
          { revision: 21 },
        ),
      );
      const gone = names.filter((_, i) => i % 4 !== 0);
      await flush(
        store,
        batchOf(
          gone.map((name, i) => deletion(name, i + 22)),
          { revision: 21 + gone.length },
        ),
      );
      const system = names.map((name) => ({ ...put(name, 's', 1), space: 2 as SpaceId }));
      await flush(store, batchOf(system, { revision: 21 + gone.length }));
      for (const [space, at, expected] of [
        [1, undefined, names.filter((_, i) => i % 4 === 0)],
        [1, 21 as Revision, names],
        [2, undefined, names],
      ] as const) {
        const seen: string[] = [];
        let slices = 0;
        for (let from: Bytes | undefined = bytes(''); from !== undefined; slices++) {
          const range = { from, to: undefined, at, rowsMax: 3 };
          from = store.scan(space, range, (record) => seen.push(text(record.key)) > 0);
        }
        expect(seen).toEqual(expected);
        expect(slices).toBeGreaterThan(1);
      }
      expect(store.scan(1, { from: bytes(''), to: undefined, at: undefined, rowsMax: 3 }, () => false)).toBeUndefined();
    });

    it('an unfinished image cannot be opened, and damaged or missing chunks are errors', async () => {
      const versions = Array.from({ length: 50 }, (_, i) => put(`key-${i}`, 'value', i + 2));
      await flush(store, batchOf(versions, { revision: 51 }));
      const image = store.image();
      const first = image.next(500) as Bytes;
      const second = image.next(500) as Bytes;
      image.close();
      const other = await fixture.open('other');
      const write = (chunk: Bytes): Promise<Error | null> =>
        new Promise((resolve) => other.writeImage(chunk, (error) => resolve(error)));
      expect(await write(first)).toBeNull();
      const damaged = second.slice();
      damaged[20] = (damaged[20] as number) ^ 1;
      expect((await write(damaged))?.message).toMatch(/checksum/);
      const unfinished = await new Promise<Error | null>((resolve) => other.finishImage((error) => resolve(error)));
      expect(unfinished?.message).toMatch(/end is missing/);
      await close(other);
      await expect(fixture.open('other')).rejects.toThrow(/image/);
    });
  });
}

const keys = ['a', 'a\0', 'ab', 'b', '\0', 'c'];
const operation = fc.record({
  key: fc.constantFrom(...keys),
  value: fc.option(fc.string({ maxLength: 3 }), { freq: 3 }),
});
const flushes = fc.array(fc.array(operation, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 });

describe('LmdbTreeStore beside MemoryTreeStore', () => {
  it('agrees on every read, digest and image after random flushes and compaction', async () => {
    const lmdb = await lmdbFixture();
    const memory = await memoryFixture();
    let run = 0;
    const property = fc.asyncProperty(flushes, fc.nat({ max: 100 }), async (batches, percent) => {
      run += 1;
      const stores = [await lmdb.open(`run-${run}`), await memory.open(`run-${run}`)] as const;
      let revision = 1;
      const live = new Map<string, { created: number; version: number }>();
      for (const batch of batches) {
        const versions: VersionWrite[] = [];
        for (const { key, value } of batch) {
          const known = live.get(key);
          if (value === null && known === undefined) continue;
          revision += 1;
          if (value === null) {
            live.delete(key);
            versions.push(deletion(key, revision));
          } else {
            const next = { created: known?.created ?? revision, version: (known?.version ?? 0) + 1 };
            live.set(key, next);
            versions.push(put(key, value, revision, next.created, next.version));
          }
        }
        for (const store of stores) await flush(store, batchOf(versions, { appliedZxid: revision, revision }));
      }
      const compacted = Math.floor((revision * percent) / 100);
      for (const store of stores) {
        await flush(store, batchOf([], { appliedZxid: revision + 1, revision, compactedRevision: compacted }));
        // One slice only: an image leaves out what compaction has not come to yet.
        await compactOnce(store, compacted, 3);
      }
      const copies = [await lmdb.open(`copy-${run}`), await memory.open(`copy-${run}`)] as const;
      await copyImage(stores[0], copies[1], 200);
      await copyImage(stores[1], copies[0], 200);
      for (const store of [...stores, ...copies]) await compact(store, compacted, 3);
      const [first, ...others] = [...stores, ...copies];
      for (const other of others) {
        for (let at = compacted; at <= revision; at++) expect(scan(other, at)).toEqual(scan(first, at));
        expect(scan(other, undefined)).toEqual(scan(first, undefined));
        expect(history(other, compacted, revision)).toEqual(history(first, compacted, revision));
        for (const key of keys) expect(revisionsOf(other, key, compacted)).toEqual(revisionsOf(first, key, compacted));
        expect(other.meta).toEqual(first.meta);
        expect(await digestOf(other)).toBe(await digestOf(first));
        for (const through of [compacted, revision - 1, revision]) {
          expect(await hashOf(other, through)).toBe(await hashOf(first, through));
        }
      }
      const further = Math.floor((compacted + revision) / 2);
      for (const store of [...stores, ...copies]) {
        await flush(store, batchOf([], { appliedZxid: revision + 2, revision, compactedRevision: further }));
        await compact(store, further, 2);
        expect(history(store, further, revision)).toEqual(history(first, further, revision));
        expect(await hashOf(store, revision)).toBe(await hashOf(first, revision));
        expect(store.usage().keys).toBe(first.usage().keys);
      }
      for (const store of [...stores, ...copies]) await close(store);
    });
    await fc.assert(property, { numRuns: 12 });
    await lmdb.end();
  }, 60_000);
});
