import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compareBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { SpaceId } from '../tree/delta.js';
import type { FlushBatch, RetainedVersion, StoreContents, TreeMeta, VersionWrite } from '../tree/store.js';
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

function put(space: SpaceId, key: string, value: string, revision: number): VersionWrite {
  const modRevision = revision as Revision;
  const bytes = Buffer.from(key);
  const record = {
    key: bytes,
    value: Buffer.from(value),
    createRevision: modRevision,
    modRevision,
    version: 1,
    lease: 0n,
  };
  return { space, key: bytes, modRevision, record };
}

function flush(store: OpenedTreeStore, versions: readonly VersionWrite[], meta: Partial<TreeMeta>): Promise<void> {
  const batch: FlushBatch = {
    meta: { ...store.meta, ...meta },
    versions: [...versions].sort(
      (a, b) => a.space - b.space || compareBytes(a.key, b.key) || a.modRevision - b.modRevision,
    ),
    sessions: [],
    sessionsEvicted: [],
    byteLength: 100,
  };
  return new Promise((resolve, reject) => store.flush(batch, (error) => (error ? reject(error) : resolve())));
}

function close(store: OpenedTreeStore): Promise<void> {
  return new Promise((resolve, reject) => store.close((error) => (error ? reject(error) : resolve())));
}

function shown(version: RetainedVersion | null): string[] {
  if (version === null) return [];
  const { key, modRevision, record } = version;
  return [`${modRevision} ${Buffer.from(key)}=${record === null ? 'deleted' : Buffer.from(record.value)}`];
}

const versionsOf = (contents: StoreContents): string[] => [...contents.versions()].flatMap(shown);
const recordsOf = (contents: StoreContents, space: SpaceId): string[] =>
  [...contents.records(space)].map(({ key, value }) => `${Buffer.from(key)}=${Buffer.from(value)}`);

describe.each(['lmdb', 'memory'] as const)('contents of a %s store', (kind) => {
  let directory: string;
  let store: OpenedTreeStore;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'zabtree-contents-'));
    await mkdir(join(directory, 'tree'));
    const opener: TreeStoreOpener = kind === 'lmdb' ? new LmdbTreeStoreOpener() : new MemoryTreeDisk({ scheduler });
    store = opener.open(join(directory, 'tree'));
    await flush(store, [put(1, 'b', '1', 2), put(1, 'a', '1', 2), put(1, 'a', '2', 3), put(4, 'l', 'lease', 2)], {
      revision: 3 as Revision,
    });
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  it('are the same in every iteration, whatever is flushed meanwhile', async () => {
    const contents = store.contents();
    const before = ['2 a=1', '2 b=1', '3 a=2'];
    expect(versionsOf(contents)).toEqual(before);
    const half = contents.versions()[Symbol.iterator]();
    half.next();
    const deleted = { space: 1, key: Buffer.from('b'), modRevision: 4 as Revision, record: null } as const;
    await flush(store, [deleted, put(4, 'm', 'later', 4)], { revision: 4 as Revision });
    expect(half.next().value).toMatchObject({ modRevision: 2 });
    expect(versionsOf(contents)).toEqual(before);
    expect(recordsOf(contents, 4)).toEqual(['l=lease']);
    expect(recordsOf(contents, 6)).toEqual([]);
    expect(contents.meta.revision).toBe(3);
    contents.close();
    const after = store.contents();
    expect(versionsOf(after)).toEqual([...before, '4 b=deleted']);
    expect(recordsOf(after, 4)).toEqual(['l=lease', 'm=later']);
    after.close();
    await close(store);
  });

  it('leave out what compaction has not come to yet', async () => {
    await flush(store, [], { compactedRevision: 3 as Revision });
    const contents = store.contents();
    expect(versionsOf(contents)).toEqual(['2 b=1', '3 a=2']);
    contents.close();
    await close(store);
  });

  it('end in UNAVAILABLE once they are let go, and closing again does nothing', async () => {
    const contents = store.contents();
    const half = contents.versions()[Symbol.iterator]();
    half.next();
    contents.close();
    contents.close();
    expect(() => half.next()).toThrow('it was let go');
    expect(() => versionsOf(contents)).toThrow('it was let go');
    expect(() => recordsOf(contents, 4)).toThrow('it was let go');
    await close(store);
  });

  it('are let go when the store is closed', async () => {
    const contents = store.contents();
    const half = contents.versions()[Symbol.iterator]();
    half.next();
    await close(store);
    expect(() => half.next()).toThrow('it was let go');
  });
});
