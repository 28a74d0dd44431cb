// One snapshot on its way in: fills a fresh tree beside the live one and allocates an empty log for it. Until the manifest
// names them they count for nothing, and whoever gives up removes them.

import path from 'node:path';
import type { Bytes } from '../shared/bytes.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { TreeMeta } from '../tree/store.js';
import { type AllocatedLog, allocateLog, baseLog, type CommitLogOptions, FileCommitLog } from './commit-log.js';
import { logName, removeTree, treeName } from './data-directory.js';
import { removeDurably, toError } from './durable-files.js';
import type { OpenedTreeStore, TreeStoreOpener } from './tree-store-opener.js';

export interface SnapshotInstallationOptions extends CommitLogOptions {
  readonly directory: string;
  readonly treeStores: TreeStoreOpener;
  /** Of the new directories. */
  readonly number: number;
}

export interface InstalledSnapshot {
  readonly tree: string;
  readonly log: string;
  readonly store: OpenedTreeStore;
  readonly commitLog: FileCommitLog;
}

type Opened =
  | { readonly type: 'open'; readonly store: OpenedTreeStore }
  | { readonly type: 'failed'; readonly error: Error };

export class SnapshotInstallation {
  private readonly options: SnapshotInstallationOptions;
  private readonly tree: string;
  private readonly log: string;
  private readonly opened: Opened;
  private readonly allocated: Promise<AllocatedLog | Error>;

  constructor(options: SnapshotInstallationOptions) {
    this.options = options;
    this.tree = treeName(options.number);
    this.log = logName(options.number);
    this.opened = this.openTree();
    // The log's first segment is filled with zeros while chunks arrive. A failure is told when it is needed.
    this.allocated = allocateLog(this.pathOf(this.log), options).catch(toError);
  }

  write(chunk: Bytes, done: (error: Error | null) => void): void {
    if (this.opened.type === 'open') this.opened.store.writeImage(chunk, done);
    else {
      const { error } = this.opened;
      this.options.runtime.defer(() => done(error));
    }
  }

  /** Everything durable and open, ready for the manifest to name it. `local`: the node-local space to take over. */
  async complete(zxid: Zxid, local: () => Bytes): Promise<InstalledSnapshot> {
    if (this.opened.type === 'failed') throw this.opened.error;
    const { store } = this.opened;
    const allocated = await this.allocated;
    if (allocated instanceof Error) throw allocated;
    const meta = await finishImage(store);
    if (meta.appliedZxid !== zxid) {
      throw new Error(
        `Cannot install a snapshot: its tree is at zxid ${formatZxid(meta.appliedZxid)}, expected ${formatZxid(zxid)}`,
      );
    }
    await importLocal(store, local());
    // The store syncs its files, not their names.
    await this.options.runtime.files.syncDirectory(this.pathOf(this.tree));
    await baseLog(this.options.runtime, allocated, zxid);
    const commitLog = await FileCommitLog.open(allocated.directory, this.options);
    return { tree: this.tree, log: this.log, store, commitLog };
  }

  /** Closes and removes all of it. */
  async discard(): Promise<void> {
    await this.allocated;
    const error = this.opened.type === 'open' ? await closeStore(this.opened.store) : null;
    if (error !== null) throw error;
    await removeTree(this.options, this.pathOf(this.tree));
    await removeDurably(this.options.runtime.files, this.pathOf(this.log));
  }

  private openTree(): Opened {
    try {
      this.options.runtime.files.makeDirectorySync(this.pathOf(this.tree));
      return { type: 'open', store: this.options.treeStores.open(this.pathOf(this.tree)) };
    } catch (error) {
      return { type: 'failed', error: toError(error) };
    }
  }

  private pathOf(name: string): string {
    return path.join(this.options.directory, name);
  }
}

export function closeStore(store: OpenedTreeStore): Promise<Error | null> {
  return new Promise((resolve) => store.close(resolve));
}

function finishImage(store: OpenedTreeStore): Promise<TreeMeta> {
  return new Promise((resolve, reject) => {
    store.finishImage((error, meta) => {
      if (error !== null) reject(error);
      else if (meta === null) reject(new Error('Cannot install a snapshot: its tree has no meta'));
      else resolve(meta);
    });
  });
}

function importLocal(store: OpenedTreeStore, local: Bytes): Promise<void> {
  return new Promise((resolve, reject) => {
    store.importLocal(local, (error) => (error === null ? resolve() : reject(error)));
  });
}
