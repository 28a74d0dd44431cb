// What becomes of the space that compaction frees: it is written to again, so that the file of a tree whose keys are
// overwritten and compacted does not grow, without anything that would stop the world.

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Revision, Zxid } from '../shared/ids.js';
import type { VersionWrite } from '../tree/store.js';
import { dataFileName } from './lmdb-tables.js';
import { type LmdbTreeStore, LmdbTreeStoreOpener } from './lmdb-tree-store.js';

const keyCount = 2_000;
const value = new Uint8Array(1_000).fill(7);

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'zabtree-space-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

/** Overwrites every key, a flush for each tenth of them. */
async function overwrite(store: LmdbTreeStore): Promise<void> {
  for (let part = 0; part < 10; part++) {
    let revision = store.meta.revision as number;
    const versions: VersionWrite[] = [];
    for (let i = part * (keyCount / 10); i < (part + 1) * (keyCount / 10); i++) {
      revision += 1;
      const key = new TextEncoder().encode(`key-${String(i).padStart(6, '0')}`);
      const modRevision = revision as Revision;
      const record = { key, value, createRevision: 2 as Revision, modRevision, version: 1, lease: 0n };
      versions.push({ space: 1, key, modRevision, record });
    }
    await flush(store, revision, store.meta.compactedRevision, versions);
  }
}

function flush(store: LmdbTreeStore, revision: number, compacted: number, versions: VersionWrite[]): Promise<void> {
  const meta = {
    appliedZxid: (store.meta.appliedZxid + 1) as Zxid,
    revision: revision as Revision,
    compactedRevision: compacted as Revision,
    sessionsEvictedThrough: 0 as Zxid,
  };
  const batch = { meta, versions, sessions: [], sessionsEvicted: [], byteLength: 0 };
  return new Promise((resolve, reject) => store.flush(batch, (error) => (error ? reject(error) : resolve())));
}

async function compact(store: LmdbTreeStore): Promise<void> {
  const { revision } = store.meta;
  await flush(store, revision, revision, []);
  for (let more = true; more; ) {
    more = await new Promise<boolean>((resolve, reject) => {
      store.compactSlice(revision, 500, (error, left) => (error ? reject(error) : resolve(left)));
    });
  }
}

it('space that compaction freed is used again: the file keeps its size while keys are overwritten', async () => {
  const store = new LmdbTreeStoreOpener().open(directory);
  for (let round = 0; round < 3; round++) {
    await overwrite(store);
    await compact(store);
  }
  const settled = store.usage();
  const onDisk = (await stat(join(directory, dataFileName))).size;
  for (let round = 0; round < 6; round++) {
    await overwrite(store);
    await compact(store);
  }
  const end = store.usage();
  // Six times the data was written meanwhile; nothing of it stays but the newest.
  expect(end.usedBytes).toBeLessThan(settled.usedBytes * 1.1);
  expect(end.fileBytes).toBeLessThan(settled.fileBytes * 1.25);
  expect((await stat(join(directory, dataFileName))).size).toBeLessThan(onDisk * 1.25);
  expect(end.usedBytes).toBeLessThan(keyCount * value.length * 3);
  await new Promise<void>((resolve, reject) => store.close((error) => (error ? reject(error) : resolve())));
}, 60_000);
