import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, temporaryDirectory, zxid } from '../../test/support/log-harness.js';
import type { CommitLogHandler, SnapshotWriter } from '../ensemble/ports.js';
import { type EnsembleId, revisionFirst, toEpoch, toRevision, toServerId, type Zxid, zxidZero } from '../shared/ids.js';
import { spaces } from '../tree/delta.js';
import type { FlushBatch, TreeStore, VersionWrite } from '../tree/store.js';
import type { EpochRecord } from '../zab/effects.js';
import { LmdbTreeStoreOpener } from './lmdb-tree-store.js';
import { encodeManifest, type Manifest, readManifest } from './manifest.js';
import { MemoryTreeDisk } from './memory-tree-store.js';
import { nodeRuntime } from './node-runtime.js';
import { claimDirectory, type FileNodeStorage, type NodeStorageOptions, openNodeStorage } from './node-storage.js';
import type { TreeStoreOpener } from './tree-store-opener.js';

const serverId = toServerId(77);
const scheduler = {
  defer: (task: () => void) => setImmediate(task),
  after: (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
const roots: string[] = [];
const open: FileNodeStorage[] = [];

const idle: CommitLogHandler = {
  durable: () => undefined,
  pressure: () => undefined,
  failed: (error) => {
    throw error;
  },
};

interface Place {
  readonly directory: string;
  readonly trees: TreeStoreOpener;
  readonly warnings: string[];
}

async function newPlace(trees: TreeStoreOpener = new MemoryTreeDisk({ scheduler })): Promise<Place> {
  const root = await temporaryDirectory();
  roots.push(root);
  return { directory: path.join(root, 'data'), trees, warnings: [] };
}

function optionsOf(place: Place, id?: number): NodeStorageOptions {
  return {
    runtime: nodeRuntime,
    directory: place.directory,
    serverId: id === undefined ? serverId : toServerId(id),
    treeStores: place.trees,
    segmentBytes: 4096,
    fullDiskRetryMs: 50,
    warn: (text) => place.warnings.push(text),
  };
}

async function openAt(place: Place, options: { readonly id?: number } = {}): Promise<FileNodeStorage> {
  const storage = await openNodeStorage(optionsOf(place, options.id));
  open.push(storage);
  return storage;
}

async function close(storage: FileNodeStorage): Promise<void> {
  open.splice(open.indexOf(storage), 1);
  await new Promise<void>((resolve) => storage.close(resolve));
}

afterEach(async () => {
  for (const storage of [...open]) await close(storage);
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

function recordOf(accepted: number, current: number): EpochRecord {
  return {
    ensembleId: '0123456789abcdef0123456789abcdef' as EnsembleId,
    acceptedEpoch: toEpoch(accepted),
    currentEpoch: toEpoch(current),
    probation: false,
    seed: zxidZero,
  };
}

function persist(storage: FileNodeStorage, record: EpochRecord): Promise<void> {
  return new Promise((resolve, reject) =>
    storage.persist(record, (error) => (error === null ? resolve() : reject(error))),
  );
}

function version(space: 1 | 3, key: string, value: string): VersionWrite {
  const record = {
    key: Buffer.from(key),
    value: Buffer.from(value),
    createRevision: toRevision(2),
    modRevision: toRevision(2),
    version: 1,
    lease: 0n,
  };
  return { space, key: record.key, modRevision: record.modRevision, record };
}

/** Flushes these keys as applied at `applied`. */
function flush(store: TreeStore, applied: Zxid, versions: readonly VersionWrite[] = []): Promise<void> {
  const batch: FlushBatch = {
    meta: {
      appliedZxid: applied,
      revision: toRevision(2),
      compactedRevision: revisionFirst,
      sessionsEvictedThrough: zxidZero,
    },
    versions,
    sessions: [],
    sessionsEvicted: [],
    byteLength: 100,
  };
  return new Promise((resolve, reject) => store.flush(batch, (error) => (error === null ? resolve() : reject(error))));
}

async function appendThrough(storage: FileNodeStorage, epoch: number, counters: readonly number[]): Promise<void> {
  const last = zxid(epoch, counters.at(-1) ?? 0);
  await new Promise<void>((resolve, reject) => {
    storage.start({
      durable: (through) => (through >= last ? resolve() : undefined),
      pressure: () => undefined,
      failed: reject,
    });
    for (const counter of counters) storage.log.append(batchOf(epoch, counter));
  });
}

/** Rewrites the manifest in place, as no crash could. */
async function tamper(place: Place, change: (manifest: Manifest) => Manifest): Promise<void> {
  const manifest = await readManifest(nodeRuntime.files, place.directory);
  if (manifest === null) throw new Error('no manifest');
  await writeFile(path.join(place.directory, 'manifest'), encodeManifest(change(manifest)));
}

async function liveNames(place: Place): Promise<string[]> {
  return (await readdir(place.directory)).filter((name) => !name.startsWith('lock-')).sort();
}

describe('claimDirectory', () => {
  it('given up again, takes back the directories that it made and no others', async () => {
    const place = await newPlace();
    const root = path.dirname(place.directory);
    const deep = path.join(root, 'a', 'b', 'c');
    await (await claimDirectory(deep, nodeRuntime)).release();
    expect(await readdir(root)).toEqual([]);
    await mkdir(path.dirname(deep), { recursive: true });
    await (await claimDirectory(deep, nodeRuntime)).release();
    expect(await readdir(path.join(root, 'a'))).toEqual(['b']);
    await (await claimDirectory(path.dirname(deep), nodeRuntime)).release();
    expect(await readdir(path.join(root, 'a'))).toEqual(['b']);
  });

  it('given up again, leaves what somebody else has put there meanwhile', async () => {
    const place = await newPlace();
    const claim = await claimDirectory(place.directory, nodeRuntime);
    await writeFile(path.join(place.directory, 'notes.txt'), '');
    await claim.release();
    expect(await readdir(place.directory)).toEqual(['notes.txt']);
  });

  it('keeps everybody else out before anything is opened, and writes nothing', async () => {
    const place = await newPlace();
    const claim = await claimDirectory(place.directory, nodeRuntime);
    await expect(claimDirectory(place.directory, nodeRuntime)).rejects.toThrow('is using it');
    await expect(openAt(place)).rejects.toThrow('is using it');
    expect((await readdir(place.directory)).filter((name) => !name.startsWith('lock-'))).toEqual([]);
    open.push(await claim.open(optionsOf(place)));
    await expect(claimDirectory(place.directory, nodeRuntime)).rejects.toThrow('is using it');
  });
});

describe('openNodeStorage', () => {
  it('makes what is missing and counts its openings', async () => {
    const place = await newPlace();
    const first = await openAt(place);
    expect([first.created, first.boot, first.serverId]).toEqual([true, 1, serverId]);
    expect(first.record).toEqual({ ensembleId: null, acceptedEpoch: 0, currentEpoch: 0, probation: false, seed: 0 });
    const { incarnation } = first;
    await close(first);
    const second = await openAt(place);
    expect([second.created, second.boot, second.incarnation]).toEqual([false, 2, incarnation]);
    expect(await liveNames(place)).toEqual(['log-000001', 'manifest', 'tree-000001']);
  });

  it('refuses a directory that is in use', async () => {
    const place = await newPlace();
    await openAt(place);
    await expect(openAt(place)).rejects.toThrow(`Cannot open data directory "${place.directory}": another process`);
  });

  it('refuses a directory of another server, and releases it', async () => {
    const place = await newPlace();
    await close(await openAt(place));
    await expect(openAt(place, { id: 5 })).rejects.toThrow(
      `Cannot open data directory "${place.directory}": it belongs to server 77, expected 5`,
    );
    await openAt(place);
  });

  it('refuses a directory with foreign files, and one that lost its manifest', async () => {
    const place = await newPlace();
    await mkdir(place.directory);
    await writeFile(path.join(place.directory, 'notes.txt'), '');
    await expect(openAt(place)).rejects.toThrow('it is not empty ("notes.txt") and has no manifest');
    await rm(path.join(place.directory, 'notes.txt'));
    await close(await openAt(place));
    await rm(path.join(place.directory, 'manifest'));
    await expect(openAt(place)).rejects.toThrow('lost its manifest');
  });

  it('takes the root of a fresh file system', async () => {
    const place = await newPlace();
    await mkdir(path.join(place.directory, 'lost+found'), { recursive: true });
    expect((await openAt(place)).created).toBe(true);
  });

  it('refuses what is not a directory, or lies under a file', async () => {
    const place = await newPlace();
    await writeFile(place.directory, '');
    await expect(openAt(place)).rejects.toThrow('it is not a directory');
    await expect(openAt({ ...place, directory: path.join(place.directory, 'sub') })).rejects.toThrow(
      'part of its path is not a directory',
    );
  });

  it('begins anew after an interrupted creation, at whatever step', async () => {
    for (const left of [[], ['tree-000001'], ['tree-000001', 'log-000001']]) {
      const place = await newPlace();
      await close(await openAt(place));
      await tamper(place, (manifest) => ({ ...manifest, boot: 0 }));
      for (const name of ['tree-000001', 'log-000001']) {
        await rm(path.join(place.directory, name), { recursive: true });
        if (left.includes(name)) await mkdir(path.join(place.directory, name));
      }
      await writeFile(path.join(place.directory, 'manifest.tmp'), 'zabtree mani');
      const storage = await openAt(place);
      expect([storage.created, storage.boot]).toEqual([true, 1]);
    }
    const place = await newPlace();
    await mkdir(place.directory);
    await writeFile(path.join(place.directory, 'manifest.tmp'), 'zabtree mani');
    expect((await openAt(place)).created).toBe(true);
  });

  it('refuses epochs, logs and trees that no crash can leave', async () => {
    const place = await newPlace(new LmdbTreeStoreOpener());
    const storage = await openAt(place);
    await persist(storage, recordOf(1, 1));
    await appendThrough(storage, 1, [1, 2, 3]);
    await flush(storage.store, zxid(1, 2));
    await close(storage);
    const refusals: readonly (readonly [(manifest: Manifest) => Manifest, string])[] = [
      [(manifest) => ({ ...manifest, record: recordOf(1, 2) }), 'current epoch 2 is greater than accepted epoch 1'],
      [(manifest) => ({ ...manifest, record: recordOf(0, 0) }), 'the log ends at zxid 1.3, past the accepted epoch 0'],
      [(manifest) => ({ ...manifest, logBase: zxid(1, 1) }), 'the log begins after 0.0, expected 1.1 or later'],
      [(manifest) => ({ ...manifest, log: 'log-000009' }), 'its manifest names "log-000009", which is missing'],
      [(manifest) => ({ ...manifest, tree: 'tree-000009' }), 'its manifest names "tree-000009", which is missing'],
    ];
    const intact = await readManifest(nodeRuntime.files, place.directory);
    const kept = path.join(path.dirname(place.directory), 'kept');
    await cp(place.directory, kept, { recursive: true });
    for (const [change, message] of refusals) {
      await tamper(place, change);
      await expect(openAt(place)).rejects.toThrow(message);
      await rm(place.directory, { recursive: true });
      await cp(kept, place.directory, { recursive: true });
    }
    expect((await openAt(place)).log.last).toBe(zxid(1, 3));
    expect(intact?.record).toEqual(recordOf(1, 1));
  });

  it('refuses a tree that is ahead of the log', async () => {
    const place = await newPlace();
    const storage = await openAt(place);
    await persist(storage, recordOf(1, 1));
    await flush(storage.store, zxid(1, 9));
    await close(storage);
    await expect(openAt(place)).rejects.toThrow(
      'the tree has applied zxid 1.9, but the log ends at 0.0: entries are missing',
    );
  });
});

describe('persist', () => {
  it('completes in order and survives', async () => {
    const place = await newPlace();
    const storage = await openAt(place);
    const completed: number[] = [];
    const all = [1, 2, 3, 4].map((epoch) =>
      persist(storage, recordOf(epoch, epoch - 1)).then(() => completed.push(epoch)),
    );
    expect(storage.record.acceptedEpoch).toBe(0);
    await Promise.all(all);
    expect(completed).toEqual([1, 2, 3, 4]);
    expect(storage.record).toEqual(recordOf(4, 3));
    await close(storage);
    expect((await openAt(place)).record).toEqual(recordOf(4, 3));
  });
});

describe.each([
  { kind: 'in memory', opener: () => new MemoryTreeDisk({ scheduler }) },
  { kind: 'in LMDB', opener: () => new LmdbTreeStoreOpener() },
])('receiveSnapshot with trees $kind', { timeout: 60_000 }, ({ opener }) => {
  const applied = zxid(3, 8);

  /** Chunks of a tree that another node has at `applied`. */
  async function image(): Promise<Uint8Array[]> {
    const place = await newPlace(opener());
    const storage = await openAt(place);
    await flush(storage.store, applied, [version(spaces.user, 'colour', 'green')]);
    const source = storage.store.image();
    const chunks: Uint8Array[] = [];
    for (let chunk = source.next(1024); chunk !== null; chunk = source.next(1024)) chunks.push(chunk);
    source.close();
    return chunks;
  }

  function write(writer: SnapshotWriter, chunk: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) =>
      writer.write(chunk, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  function finish(writer: SnapshotWriter, at: Zxid, record: EpochRecord): Promise<void> {
    return new Promise((resolve, reject) =>
      writer.finish(at, record, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  /** A node with a log and a tree of its own, which a snapshot is to replace. */
  async function occupied(place: Place): Promise<FileNodeStorage> {
    const storage = await openAt(place);
    await persist(storage, recordOf(2, 2));
    await appendThrough(storage, 1, [1, 2, 3]);
    await flush(storage.store, zxid(1, 1), [
      version(spaces.user, 'colour', 'red'),
      version(spaces.local, 'own', 'kept'),
    ]);
    return storage;
  }

  function colour(storage: FileNodeStorage): string | undefined {
    const record = storage.store.get(spaces.user, Buffer.from('colour'), undefined);
    return record && Buffer.from(record.value).toString();
  }

  it('switches tree, log and record at once, and keeps the node-local space', async () => {
    const chunks = await image();
    const place = await newPlace(opener());
    const storage = await occupied(place);
    const writer = storage.receiveSnapshot();
    for (const chunk of chunks) await write(writer, chunk);
    expect([colour(storage), storage.log.last]).toEqual(['red', zxid(1, 3)]);
    await finish(writer, applied, recordOf(4, 2));
    expect(storage.record).toEqual(recordOf(4, 2));
    expect([colour(storage), storage.store.meta.appliedZxid]).toEqual(['green', applied]);
    expect([storage.log.base, storage.log.last, storage.log.durable]).toEqual([applied, applied, applied]);
    expect(storage.log.epochEnds()).toEqual([{ epoch: 3, last: applied }]);
    expect(storage.store.get(spaces.local, Buffer.from('own'), undefined)).toBeDefined();
    storage.log.append(batchOf(3, 9));
    await expect.poll(() => storage.log.durable, { timeout: 5000 }).toBe(zxid(3, 9));
    await close(storage);
    expect(await liveNames(place)).toEqual(['log-000002', 'manifest', 'tree-000002']);
    const again = await openAt(place);
    expect([again.log.base, again.log.last, colour(again)]).toEqual([applied, zxid(3, 9), 'green']);
  });

  it('that is aborted, or ends too early, or is of another zxid leaves everything as it was', async () => {
    const chunks = await image();
    const place = await newPlace(opener());
    const storage = await occupied(place);
    const aborted = storage.receiveSnapshot();
    await write(aborted, chunks[0] as Uint8Array);
    aborted.abort();
    const empty = storage.receiveSnapshot();
    await expect(finish(empty, applied, recordOf(4, 4))).rejects.toThrow('Cannot finish');
    const other = storage.receiveSnapshot();
    for (const chunk of chunks) await write(other, chunk);
    await expect(finish(other, zxid(3, 7), recordOf(4, 4))).rejects.toThrow('its tree is at zxid 3.8, expected 3.7');
    expect([colour(storage), storage.log.last, storage.record]).toEqual(['red', zxid(1, 3), recordOf(2, 2)]);
    await close(storage);
    expect(place.warnings).toEqual([]);
    expect(await liveNames(place)).toEqual(['log-000001', 'manifest', 'tree-000001']);
    expect(colour(await openAt(place))).toBe('red');
  });

  it('that a crash interrupts leaves nothing behind: neither what was unfinished nor what is live no more', async () => {
    const place = await newPlace(opener());
    await close(await occupied(place));
    await cp(path.join(place.directory, 'log-000001'), path.join(place.directory, 'log-000002'), { recursive: true });
    await mkdir(path.join(place.directory, 'log-000003'));
    await mkdir(path.join(place.directory, 'tree-000003'));
    await writeFile(path.join(place.directory, 'tree-000003', 'data.mdb'), 'half');
    await writeFile(path.join(place.directory, 'manifest.tmp'), 'zabtree manifest 1\n');
    const storage = await openAt(place);
    expect(colour(storage)).toBe('red');
    storage.start(idle);
    const chunks = await image();
    const writer = storage.receiveSnapshot();
    for (const chunk of chunks) await write(writer, chunk);
    await finish(writer, applied, recordOf(4, 4));
    await close(storage);
    expect((await liveNames(place)).filter((name) => name !== 'manifest.tmp')).toEqual([
      'log-000004',
      'manifest',
      'tree-000004',
    ]);
  });
});
