// Node storage's twin for the simulator: same contract and same order of durable steps as node-storage.ts, over a
// MemoryDisk that outlives the process. Every callback comes through the scheduler.

import type { CommitLogHandler, NodeStorage, Scheduler, SnapshotWriter } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { Bytes } from '../shared/bytes.js';
import { formatZxid, type ServerId, type Zxid, zxidZero } from '../shared/ids.js';
import type { EpochRecord } from '../zab/effects.js';
import { disagreement } from './boot-rules.js';
import { DataDirectoryError } from './data-directory-error.js';
import { type Manifest, newManifest } from './manifest.js';
import { MemoryCommitLog } from './memory-commit-log.js';
import type { MemoryDisk } from './memory-disk.js';
import { MemoryLogContent } from './memory-log-content.js';
import type { OpenedTreeStore } from './tree-store-opener.js';

export interface MemoryNodeStorageOptions {
  readonly disk: MemoryDisk;
  readonly serverId: ServerId;
  /** Of the process: dies with it. */
  readonly scheduler: Scheduler;
}

type Done = (error: Error | null) => void;

/** Opens what the disk holds, making it when it is empty. Throws DataDirectoryError as openNodeStorage does. */
export function openMemoryNodeStorage(options: MemoryNodeStorageOptions): MemoryNodeStorage {
  const { disk, serverId } = options;
  disk.lock();
  try {
    const found = disk.manifest ?? createOn(disk, serverId);
    if (found.serverId !== serverId) {
      throw new DataDirectoryError('(simulated)', `it belongs to server ${found.serverId}, expected ${serverId}`);
    }
    const manifest = { ...found, boot: found.boot + 1 };
    disk.manifest = manifest;
    for (const name of disk.logs.keys()) if (name !== manifest.log) disk.logs.delete(name);
    for (const name of disk.treeNames) if (name !== manifest.tree) disk.removeTree(name, () => undefined);
    return new MemoryNodeStorage(options, manifest);
  } catch (error) {
    disk.unlock();
    throw error;
  }
}

function createOn(disk: MemoryDisk, serverId: ServerId): Manifest {
  const { random, logSegmentBytes } = disk.options;
  let incarnation = '';
  for (let i = 0; i < 4; i++) incarnation += random.nextUint32().toString(16).padStart(8, '0');
  // A wiped disk must not find the trees of its former life under the same name.
  const name = disk.nextName();
  const manifest = newManifest({ serverId, incarnation, tree: `tree-${name}`, log: `log-${name}` });
  disk.logs.set(manifest.log, new MemoryLogContent(zxidZero, logSegmentBytes));
  return manifest;
}

export class MemoryNodeStorage implements NodeStorage {
  readonly serverId: ServerId;
  readonly incarnation: string;
  readonly boot: number;
  private readonly disk: MemoryDisk;
  private readonly scheduler: Scheduler;
  private manifest: Manifest;
  private liveLog: MemoryCommitLog;
  private liveStore: OpenedTreeStore;
  private handler: CommitLogHandler | null = null;
  /** Changes of the manifest, the first one under way. */
  private readonly changes: { readonly change: (manifest: Manifest) => Manifest; readonly done: Done }[] = [];

  constructor(options: MemoryNodeStorageOptions, manifest: Manifest) {
    this.serverId = manifest.serverId;
    this.incarnation = manifest.incarnation;
    this.boot = manifest.boot;
    this.disk = options.disk;
    this.scheduler = options.scheduler;
    this.manifest = manifest;
    this.liveStore = this.disk.openTree(manifest.tree);
    this.liveLog = new MemoryCommitLog(this.disk, this.contentOf(manifest.log), this.scheduler);
    const reason = disagreement(manifest, this.liveLog, this.liveStore.meta);
    if (reason !== null) throw new DataDirectoryError('(simulated)', reason);
  }

  get record(): EpochRecord {
    return this.manifest.record;
  }

  get log(): MemoryCommitLog {
    return this.liveLog;
  }

  get store(): OpenedTreeStore {
    return this.liveStore;
  }

  start(handler: CommitLogHandler): void {
    assert(this.handler === null, 'Cannot start storage: it is started already');
    this.handler = handler;
    this.liveLog.start(handler);
  }

  persist(record: EpochRecord, done: Done): void {
    this.change((manifest) => ({ ...manifest, record }), done);
  }

  receiveSnapshot(): SnapshotWriter {
    const name = this.disk.nextName();
    const names = { tree: `tree-${name}`, log: `log-${name}` };
    const store = this.disk.openTree(names.tree);
    let ended = false;
    const discard = (done: () => void): void => {
      ended = true;
      store.close(() => this.disk.removeTree(names.tree, done));
    };
    return {
      write: (chunk: Bytes, done: Done) => store.writeImage(chunk, done),
      finish: (zxid, record, done) => {
        assert(!ended, 'Cannot finish a snapshot: it has ended already');
        ended = true;
        this.complete(store, zxid, (error) => {
          if (error === null) this.switchTo({ ...names, store }, zxid, record, done);
          else discard(() => done(error));
        });
      },
      abort: () => {
        if (!ended) discard(() => undefined);
      },
    };
  }

  close(done: () => void): void {
    this.liveLog.close(() => {
      this.liveStore.close(() => {
        this.disk.unlock();
        done();
      });
    });
  }

  private complete(store: OpenedTreeStore, zxid: Zxid, done: Done): void {
    store.finishImage((error, meta) => {
      if (error !== null || meta === null) done(error ?? new Error('Cannot install a snapshot: its tree has no meta'));
      else if (meta.appliedZxid !== zxid) {
        const at = formatZxid(meta.appliedZxid);
        done(new Error(`Cannot install a snapshot: its tree is at zxid ${at}, expected ${formatZxid(zxid)}`));
      } else store.importLocal(this.liveStore.exportLocal(), done);
    });
  }

  private switchTo(
    installed: { readonly tree: string; readonly log: string; readonly store: OpenedTreeStore },
    zxid: Zxid,
    record: EpochRecord,
    done: Done,
  ): void {
    const { tree, log, store } = installed;
    this.disk.logs.set(log, new MemoryLogContent(zxid, this.disk.options.logSegmentBytes));
    const old = { log: this.liveLog, store: this.liveStore, names: this.manifest };
    this.change(
      (manifest) => ({ ...manifest, record, tree, log, logBase: zxid }),
      (error) => {
        if (error !== null) {
          done(error);
          return;
        }
        this.liveStore = store;
        this.liveLog = new MemoryCommitLog(this.disk, this.contentOf(log), this.scheduler);
        if (this.handler !== null) this.liveLog.start(this.handler);
        old.log.close(() => this.disk.logs.delete(old.names.log));
        old.store.close(() => this.disk.removeTree(old.names.tree, () => undefined));
        done(null);
      },
    );
  }

  private change(change: (manifest: Manifest) => Manifest, done: Done): void {
    this.changes.push({ change, done });
    if (this.changes.length === 1) this.writeNext();
  }

  private writeNext(): void {
    const next = this.changes[0];
    if (next === undefined) return;
    const changed = next.change(this.manifest);
    const apply = (): void => {
      this.disk.manifest = changed;
    };
    this.disk.write(this.scheduler, apply, (error) => {
      this.changes.shift();
      if (error === null) this.manifest = changed;
      this.writeNext();
      next.done(error);
    });
  }

  private contentOf(name: string): MemoryLogContent {
    const content = this.disk.logs.get(name);
    if (content === undefined)
      throw new DataDirectoryError('(simulated)', `its manifest names "${name}", which is missing`);
    return content;
  }
}
