import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/log-harness.js';
import { type Revision, revisionFirst, toServerId, type Zxid, zxidZero } from '../shared/ids.js';
import { MemoryTreeDisk } from './memory-tree-store.js';
import { nodeRuntime } from './node-runtime.js';
import { claimDirectory, type FileNodeStorage, type NodeStorageOptions, openNodeStorage } from './node-storage.js';
import { seedDirectory } from './seeded-directory.js';

const scheduler = {
  defer: (task: () => void) => void setImmediate(task),
  after: (delayMs: number, task: () => void) => {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
const seed = 12345 as Zxid;
const roots: string[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

/** Options for a server's id, on a directory that server 77 has filled. */
async function seeded(): Promise<(id: number) => NodeStorageOptions> {
  const root = await temporaryDirectory();
  roots.push(root);
  const treeStores = new MemoryTreeDisk({ scheduler });
  const optionsFor = (id: number): NodeStorageOptions => ({
    runtime: nodeRuntime,
    directory: path.join(root, 'data'),
    serverId: toServerId(id),
    treeStores,
    segmentBytes: 4096,
    fullDiskRetryMs: 50,
    warn: () => undefined,
  });
  const options = optionsFor(77);
  const claim = await claimDirectory(options.directory, nodeRuntime);
  const meta = { appliedZxid: seed, revision: revisionFirst, compactedRevision: 0 as Revision };
  await seedDirectory(options, seed, async (store) => {
    const batch = { versions: [], sessions: [], sessionsEvicted: [], byteLength: 0 };
    const whole = { ...batch, meta: { ...meta, sessionsEvictedThrough: zxidZero } };
    await new Promise<void>((resolve, reject) => store.flush(whole, (error) => (error ? reject(error) : resolve())));
  });
  await claim.release();
  return optionsFor;
}

const close = (storage: FileNodeStorage): Promise<void> => new Promise((resolve) => storage.close(resolve));

describe('a seeded directory', () => {
  it('belongs to the server that opens it first, and to no other afterwards', async () => {
    const optionsFor = await seeded();
    const first = await openNodeStorage(optionsFor(5));
    expect([first.serverId, first.created, first.record.seed]).toEqual([5, false, seed]);
    await close(first);
    for (const other of [77, 6]) {
      await expect(openNodeStorage(optionsFor(other))).rejects.toThrow(`it belongs to server 5, expected ${other}`);
    }
    const again = await openNodeStorage(optionsFor(5));
    expect([again.serverId, again.record.seed]).toEqual([5, seed]);
    await close(again);
  });
});
