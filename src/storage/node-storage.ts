// All that one node keeps on disk, behind one lock: its log, its tree, its epoch record. Replaces the record, and installs
// snapshots by switching tree, log and record in one manifest write, so that no boot ever finds a mixture.

import path from 'node:path';
import type { CommitLogHandler, NodeStorage, SnapshotWriter } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { ServerId, Zxid } from '../shared/ids.js';
import type { EpochRecord } from '../zab/effects.js';
import type { FileCommitLog } from './commit-log.js';
import {
  type DataDirectoryOptions,
  ensureDirectory,
  type OpenedDirectory,
  openDirectory,
  removeMadeDirectories,
  removeTree,
} from './data-directory.js';
import { isOutOfSpace, removeDurably, settle, toError, UncertainReplacementError } from './durable-files.js';
import type { ManifestFile } from './manifest.js';
import { closeStore, type InstalledSnapshot, SnapshotInstallation } from './snapshot-installation.js';
import type { DirectoryLock, StorageRuntime } from './storage-runtime.js';
import type { OpenedTreeStore } from './tree-store-opener.js';

export type NodeStorageOptions = DataDirectoryOptions;

/** Locks, verifies and opens a data directory, making it when it is empty. Throws DataDirectoryError. */
export async function openNodeStorage(options: NodeStorageOptions): Promise<FileNodeStorage> {
  const claim = await claimDirectory(options.directory, options.runtime);
  try {
    return await claim.open(options);
  } catch (error) {
    await claim.release();
    throw error;
  }
}

/** A data directory that is locked and otherwise as it was: whoever gives it up again leaves no trace. */
export interface DirectoryClaim {
  /** Verifies and opens it, making it when it is empty; from then on the storage has the lock. Throws DataDirectoryError. */
  open(options: NodeStorageOptions): Promise<FileNodeStorage>;
  /** Unlocks what was not opened, and removes the directories that were made for it and are still empty. */
  release(): Promise<void>;
}

/** Locks a directory, making it when it is missing. Throws DataDirectoryError. */
export async function claimDirectory(directory: string, runtime: StorageRuntime): Promise<DirectoryClaim> {
  const made = await ensureDirectory(runtime.files, directory);
  const takeBack = async (): Promise<void> => {
    if (made !== undefined) await removeMadeDirectories(runtime.files, directory, made);
  };
  let lock: DirectoryLock;
  try {
    lock = await runtime.lock(directory);
  } catch (error) {
    await takeBack();
    throw error;
  }
  return {
    open: async (options) => new FileNodeStorage(options, lock, await openDirectory(options)),
    release: async () => {
      await lock.release();
      await takeBack();
    },
  };
}

export class FileNodeStorage implements NodeStorage {
  readonly serverId: ServerId;
  readonly incarnation: string;
  readonly boot: number;
  /** True when the directory held nothing before. */
  readonly created: boolean;
  private readonly options: NodeStorageOptions;
  private readonly lock: DirectoryLock;
  private readonly manifest: ManifestFile;
  private liveLog: FileCommitLog;
  private liveStore: OpenedTreeStore;
  private nextNumber: number;
  private handler: CommitLogHandler | null = null;
  private closing = false;
  /** Set while the disk is too full for the record. */
  private cancelPersistRetry: (() => void) | null = null;
  /** Removals of directories that are live no more, and installations under way. */
  private readonly background = new Set<Promise<unknown>>();

  constructor(options: NodeStorageOptions, lock: DirectoryLock, opened: OpenedDirectory) {
    const { serverId, incarnation, boot } = opened.manifest.current;
    this.serverId = serverId;
    this.incarnation = incarnation;
    this.boot = boot;
    this.created = opened.created;
    this.options = options;
    this.lock = lock;
    this.manifest = opened.manifest;
    this.liveLog = opened.log;
    this.liveStore = opened.store;
    this.nextNumber = opened.nextNumber;
  }

  get record(): EpochRecord {
    return this.manifest.current.record;
  }

  get log(): FileCommitLog {
    return this.liveLog;
  }

  get store(): OpenedTreeStore {
    return this.liveStore;
  }

  start(handler: CommitLogHandler): void {
    assert(this.handler === null, `Cannot start storage ${this.options.directory}: it is started already`);
    this.handler = handler;
    this.liveLog.start(handler);
  }

  /** A full disk is waited for: the old record stands meanwhile, and nothing that depends on the new one is said. */
  persist(record: EpochRecord, done: (error: Error | null) => void): void {
    this.replaceRecord(record, done, false);
  }

  /** Notes that this boot came through opening the tree. Costs nothing when a change of the record has said so already. */
  noteOpened(): void {
    if (this.closing || this.manifest.current.opened === this.boot) return;
    this.track(this.manifest.update((manifest) => ({ ...manifest, opened: manifest.boot })));
  }

  /** Notes that the whole tree was read, or that this boot ends orderly. */
  private settle(): Promise<void> {
    const { boot, opened, settled } = this.manifest.current;
    if (settled === boot && opened === boot) return Promise.resolve();
    return this.manifest.update((manifest) => ({ ...manifest, opened: manifest.boot, settled: manifest.boot }));
  }

  noteSettled(): void {
    if (!this.closing) this.track(this.settle());
  }

  receiveSnapshot(): SnapshotWriter {
    const installation = new SnapshotInstallation({ ...this.options, number: this.nextNumber++ });
    let ended = false;
    return {
      write: (chunk, done) => installation.write(chunk, done),
      finish: (zxid, record, done) => {
        assert(!ended, 'Cannot finish a snapshot: it has ended already');
        ended = true;
        const switched = installation
          .complete(zxid, () => this.liveStore.exportLocal())
          .then((installed) => this.switchTo(installed, zxid, record));
        const outcome = switched.catch(async (error: unknown) => {
          // After an uncertain switch a boot may find either; neither may be removed.
          if (!(error instanceof UncertainReplacementError)) await installation.discard();
          throw error;
        });
        // Its failure is the caller's to hear.
        this.track(outcome.catch(() => undefined));
        settle(this.options.runtime, outcome, (error) => {
          if (error instanceof UncertainReplacementError) this.handler?.failed(error);
          done(error);
        });
      },
      abort: () => {
        if (ended) return;
        ended = true;
        this.track(installation.discard());
      },
    };
  }

  close(done: () => void): void {
    assert(!this.closing, `Cannot close storage ${this.options.directory}: it is being closed already`);
    this.closing = true;
    this.cancelPersistRetry?.();
    settle(this.options.runtime, this.shutDown(), (error) => {
      if (error !== null) throw error;
      done();
    });
  }

  private replaceRecord(record: EpochRecord, done: (error: Error | null) => void, again: boolean): void {
    // That the tree was opened goes with it: a boot that got here did not die of that.
    const update = this.manifest.update((manifest) => ({ ...manifest, record, opened: manifest.boot }));
    settle(this.options.runtime, update, (error) => {
      if (error instanceof UncertainReplacementError) this.handler?.failed(error);
      if (!isOutOfSpace(error)) {
        done(error);
        return;
      }
      if (!again) this.options.warn('the disk is full: this node takes no part until the manifest can be written');
      if (this.closing) return;
      const { runtime, fullDiskRetryMs } = this.options;
      this.cancelPersistRetry = runtime.after(fullDiskRetryMs, () => this.replaceRecord(record, done, true));
    });
  }

  private async switchTo(installed: InstalledSnapshot, zxid: Zxid, record: EpochRecord): Promise<void> {
    const { tree, log } = this.manifest.current;
    try {
      await this.manifest.update((manifest) => ({
        ...manifest,
        record,
        opened: manifest.boot,
        tree: installed.tree,
        log: installed.log,
        logBase: zxid,
      }));
    } catch (error) {
      await closeLog(installed.commitLog);
      throw error;
    }
    const old = { log: this.liveLog, store: this.liveStore };
    this.liveLog = installed.commitLog;
    this.liveStore = installed.store;
    if (this.handler !== null) this.liveLog.start(this.handler);
    this.track(this.removeOld(old, { tree, log }));
  }

  private async removeOld(
    old: { readonly log: FileCommitLog; readonly store: OpenedTreeStore },
    names: { readonly tree: string; readonly log: string },
  ): Promise<void> {
    await closeLog(old.log);
    const error = await closeStore(old.store);
    if (error !== null) throw error;
    await removeTree(this.options, path.join(this.options.directory, names.tree));
    await removeDurably(this.options.runtime.files, path.join(this.options.directory, names.log));
  }

  /** Lets `close` wait for it. What cannot be removed now is removed at the next boot. */
  private track(work: Promise<unknown>): void {
    const ended: Promise<unknown> = work
      .catch((error: unknown) =>
        this.options.warn(`background work on the data directory failed: ${toError(error).message}`),
      )
      .then(() => this.background.delete(ended));
    this.background.add(ended);
  }

  private async shutDown(): Promise<void> {
    while (this.background.size > 0) await Promise.all(this.background);
    await this.manifest.idle();
    await this.settle().catch((error: unknown) =>
      this.options.warn(`cannot note the orderly end of this boot: ${toError(error).message}`),
    );
    await closeLog(this.liveLog);
    const error = await closeStore(this.liveStore);
    await this.lock.release();
    if (error !== null) throw error;
  }
}

function closeLog(log: FileCommitLog): Promise<void> {
  return new Promise((resolve) => log.close(resolve));
}
