// Makes a data directory whose tree is filled before there is an ensemble: restoring a snapshot. Its manifest says blank, as
// that of a new member does, and comes last; so whoever starts it can only form a new ensemble or be filled by one.

import path from 'node:path';
import type { Zxid } from '../shared/ids.js';
import { allocateLog, baseLog } from './commit-log.js';
import { type DataDirectoryOptions, logName, removeTree, seededBoot, syncParents, treeName } from './data-directory.js';
import { DataDirectoryError } from './data-directory-error.js';
import { removeDurably } from './durable-files.js';
import { lockFilePattern } from './lock-file-name.js';
import { ManifestFile, newManifest } from './manifest.js';
import { closeStore } from './snapshot-installation.js';
import type { OpenedTreeStore } from './tree-store-opener.js';

const firstNumber = 1;
/** Found in the root of a freshly made file system. */
const harmlessName = 'lost+found';

/**
 * `fill` leaves the tree of the empty, locked directory at zxid `seed`, which is of epoch 0. When it fails, nothing is left.
 * Throws DataDirectoryError when something is there.
 */
export async function seedDirectory(
  options: DataDirectoryOptions,
  seed: Zxid,
  fill: (store: OpenedTreeStore) => Promise<void>,
): Promise<void> {
  const { directory, runtime, treeStores, serverId } = options;
  const { files } = runtime;
  for (const name of await files.list(directory)) {
    if (lockFilePattern.test(name) || name === harmlessName) continue;
    throw new DataDirectoryError(directory, `it is not empty ("${name}")`);
  }
  const tree = treeName(firstNumber);
  const log = logName(firstNumber);
  const place = (name: string): string => path.join(directory, name);
  try {
    await files.makeDirectory(place(tree));
    const store = treeStores.open(place(tree));
    let failure: unknown = null;
    try {
      await fill(store);
    } catch (error) {
      failure = error;
    }
    const closing = await closeStore(store);
    if (failure !== null) throw failure;
    if (closing !== null) throw closing;
    // The store syncs its files, not their names.
    await files.syncDirectory(place(tree));
    await baseLog(runtime, await allocateLog(place(log), options), seed);
    await files.syncDirectory(directory);
    // Whoever starts it finds a manifest, and takes the directory for one that is there to stay.
    await syncParents(files, directory);
    const incarnation = runtime.randomBytes(16).toString('hex');
    const fresh = newManifest({ serverId, incarnation, tree, log });
    const manifest = new ManifestFile(files, directory, fresh);
    const whole = { boot: seededBoot, opened: seededBoot, settled: seededBoot, logBase: seed };
    await manifest.update((current) => ({ ...current, ...whole, record: { ...current.record, seed } }));
  } catch (error) {
    await removeTree(options, place(tree));
    await removeDurably(files, place(log));
    throw error;
  }
}
