// The server's half of `zabtree snapshot restore`: makes the data directory of a member of an ensemble that does not exist
// yet, from a snapshot of zabtree or etcd. Starts nothing; docs/decisions/0009-restored-members-are-blank.md says why so.

import { randomBytes } from 'node:crypto';
import { reasonOf } from '../config/config-file.js';
import type { NodeConfig } from '../config/node-config.js';
import { DiskFile } from '../etcd-snapshot/disk-file.js';
import { SnapshotFileError } from '../etcd-snapshot/snapshot-file-error.js';
import { SnapshotReader } from '../etcd-snapshot/snapshot-reader.js';
import { assert } from '../shared/assert.js';
import { epochZero, zxidOf } from '../shared/ids.js';
import { Secret } from '../shared/secret.js';
import { LmdbTreeStoreOpener } from '../storage/lmdb-tree-store.js';
import { nodeRuntime } from '../storage/node-runtime.js';
import { claimDirectory } from '../storage/node-storage.js';
import { seedDirectory } from '../storage/seeded-directory.js';
import { type FilledTree, fillTree } from './restored-tree.js';

const fullDiskRetryMs = 1_000;
const tokenSecretBytes = 32;

export interface RestoreRequest {
  readonly config: NodeConfig;
  readonly file: string;
  /** A file without a checksum, such as the database of an etcd that was stopped, is taken as it is. */
  readonly skipChecksum: boolean;
}

/** Rejects with one clear error when the file or the directory will not do; then nothing is left behind. */
export async function restoreSnapshot({ config, file, skipChecksum }: RestoreRequest): Promise<FilledTree> {
  const cannot = (cause: unknown): Error =>
    new Error(`Cannot restore snapshot "${file}": ${reasonOf(cause)}`, { cause });
  let disk: DiskFile;
  try {
    disk = new DiskFile(file);
  } catch (error) {
    throw cannot(error);
  }
  try {
    const reader = new SnapshotReader(disk);
    if (!reader.hasChecksum && !skipChecksum)
      throw new SnapshotFileError('it does not end with a checksum (--skip-hash-check takes it as it is)');
    if (reader.hasChecksum) reader.verifyChecksum();
    return await restoreFrom(reader, config);
  } catch (error) {
    throw error instanceof SnapshotFileError ? cannot(error) : error;
  } finally {
    disk.close();
  }
}

async function restoreFrom(reader: SnapshotReader, config: NodeConfig): Promise<FilledTree> {
  const digest = reader.digest();
  // Of epoch 0: before every entry of the ensemble to come. Two files have different ones, so that members which were
  // restored from different files notice it and form nothing.
  const seed = zxidOf(epochZero, 1 + (digest.readUInt32BE(0) % (2 ** 31 - 1)));
  // Each member draws its own; the ensemble takes over the tree of its first leader, whole.
  const tokenSecret = new Secret(randomBytes(tokenSecretBytes));
  const claim = await claimDirectory(config.dataDir, nodeRuntime);
  let filled: FilledTree | undefined;
  try {
    await seedDirectory(
      {
        runtime: nodeRuntime,
        directory: config.dataDir,
        serverId: config.self.id,
        treeStores: new LmdbTreeStoreOpener(),
        segmentBytes: config.limits.logSegmentBytes,
        fullDiskRetryMs,
        warn: () => undefined,
      },
      seed,
      async (store) => {
        filled = await fillTree(store, reader, { seed, limits: config.limits, tokenSecret });
      },
    );
  } finally {
    await claim.release();
  }
  assert(filled !== undefined, 'Cannot restore a snapshot: its tree was not filled');
  return filled;
}
