// The disk of a simulated machine: outlives its processes, takes its time, fills up, fails and loses on a crash what was
// not synced. simulated-file-system.ts gives one process its view of it. Deterministic: chance and delays come from outside.

import type { SeededRandom } from '../shared/random.js';
import { DirectoryInode, type FileInode, type Inode } from './simulated-inodes.js';

/** What the operating system reports. */
export class FileError extends Error {
  override readonly name = 'FileError';
  readonly code: string;

  constructor(code: string, what: string) {
    super(`${code}: ${what}`);
    this.code = code;
  }
}

export interface SimulatedDiskOptions {
  readonly random: SeededRandom;
  /** How long it takes until something is on the platter, milliseconds. */
  readonly delayMs: () => number;
  /** How long an operation takes that needs no platter. */
  readonly cachedMs: () => number;
  /** Something is about to be asked of the disk: a place for a crash. */
  readonly step: () => void;
}

/** An operation under way that changes something. */
export interface DiskOperation {
  /** The process is gone: whether it still happens, in whole or in part, is decided here. */
  cutShort(random: SeededRandom): void;
}

export class SimulatedDisk {
  readonly options: SimulatedDiskOptions;
  readonly inFlight = new Set<DiskOperation>();
  /** Nothing gets larger, no directory is made. */
  full = false;
  /** Failures that a process has been told of since the last crash. */
  failures = 0;
  private root = new DirectoryInode();
  private stalled = false;
  private held: (() => void)[] = [];
  private failingWrite = false;
  private failingSync = false;

  constructor(options: SimulatedDiskOptions) {
    this.options = options;
  }

  /** The next write of a process to any file fails. */
  failNextWrite(): void {
    this.failingWrite = true;
  }

  /** The next time that something is to be brought to the platter this fails, and nothing tells it from what is there. */
  failNextSync(): void {
    this.failingSync = true;
  }

  /** While stalled nothing that was begun completes. */
  setStalled(stalled: boolean): void {
    this.stalled = stalled;
    if (stalled) return;
    for (const task of this.held.splice(0)) task();
  }

  /** Runs what completes an operation, now or when the disk moves again. */
  complete(task: () => void): void {
    if (this.stalled) this.held.push(task);
    else task();
  }

  /** The process that had it open is gone; with `machine` also everything that is only in memory. */
  crash(kind: 'process' | 'machine'): void {
    const { random } = this.options;
    this.failingWrite = false;
    this.failingSync = false;
    this.failures = 0;
    for (const operation of this.inFlight) {
      try {
        operation.cutShort(random);
      } catch (error) {
        // Nobody is left to be told.
        if (!(error instanceof FileError)) throw error;
      }
    }
    this.inFlight.clear();
    this.held = [];
    if (kind === 'machine') this.root.crash(random);
  }

  /** A new disk in its place. */
  wipe(): void {
    this.root = new DirectoryInode();
  }

  takeWriteFailure(): boolean {
    const failing = this.failingWrite;
    this.failingWrite = false;
    if (failing) this.failures += 1;
    return failing;
  }

  takeSyncFailure(): boolean {
    const failing = this.failingSync;
    this.failingSync = false;
    if (failing) this.failures += 1;
    return failing;
  }

  /** Throws when there is no room for more. */
  takeSpace(what: string): void {
    if (!this.full) return;
    this.failures += 1;
    throw new FileError('ENOSPC', what);
  }

  find(path: string): Inode | undefined {
    let inode: Inode | undefined = this.root;
    for (const name of path.split('/')) {
      if (name === '') continue;
      if (inode?.type !== 'directory') return undefined;
      inode = inode.entries.get(name);
    }
    return inode;
  }

  directory(path: string): DirectoryInode {
    const inode = this.find(path);
    if (inode === undefined) throw new FileError('ENOENT', path);
    if (inode.type !== 'directory') throw new FileError('ENOTDIR', path);
    return inode;
  }

  file(path: string): FileInode {
    const inode = this.find(path);
    if (inode === undefined) throw new FileError('ENOENT', path);
    if (inode.type !== 'file') throw new FileError('EISDIR', path);
    return inode;
  }
}
