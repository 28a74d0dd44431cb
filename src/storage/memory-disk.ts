// The disk of a simulated node: outlives the process, loses a random part of what was not synced when the process dies,
// and fails on demand. Deterministic: every choice comes from one seeded generator, every delay from the caller.

import type { Scheduler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import type { SeededRandom } from '../shared/random.js';
import type { Manifest } from './manifest.js';
import type { MemoryLogContent } from './memory-log-content.js';
import type { CrashableTreeStoreOpener, OpenedTreeStore } from './tree-store-opener.js';

export interface MemoryDiskOptions {
  readonly random: SeededRandom;
  /** Its trees. Crashed together with the disk. */
  readonly trees: CrashableTreeStoreOpener;
  /** How long the next write and fsync, or read, takes, milliseconds. */
  readonly delayMs: () => number;
  /** Bytes of one log segment: the log is trimmed in steps of this. */
  readonly logSegmentBytes: number;
}

/** An operation on the disk that a crash may cut short: it has happened whole or not at all. */
interface Operation {
  readonly apply: () => void;
}

export class MemoryDisk {
  readonly options: MemoryDiskOptions;
  manifest: Manifest | null = null;
  readonly logs = new Map<string, MemoryLogContent>();
  /** Names of all trees that may be on it. */
  readonly treeNames = new Set<string>();
  /** Counts the processes that had the disk open. What an earlier one has scheduled is void. */
  session = 0;
  private locked = false;
  private names = 0;
  private isFull = false;
  private isStalled = false;
  private nextWriteError: Error | null = null;
  private readonly operations = new Set<Operation>();
  private readonly stalledTasks: (() => void)[] = [];
  private readonly spaceListeners = new Set<(full: boolean) => void>();

  constructor(options: MemoryDiskOptions) {
    this.options = options;
  }

  /** No space for further log segments: back-pressure until there is. */
  get full(): boolean {
    return this.isFull;
  }

  setFull(full: boolean): void {
    if (this.isFull === full) return;
    this.isFull = full;
    for (const listener of this.spaceListeners) listener(full);
  }

  /** While stalled nothing that was begun completes. */
  setStalled(stalled: boolean): void {
    this.isStalled = stalled;
    if (stalled) return;
    for (const task of this.stalledTasks.splice(0)) task();
  }

  /** The next write to the log or the manifest fails with this. */
  failNextWrite(error: Error): void {
    this.nextWriteError = error;
  }

  /**
   * The process is gone, or the power. Each operation under way has happened or not; of what was appended and not synced
   * some prefix is there.
   */
  crash(): void {
    const { random, trees } = this.options;
    this.session += 1;
    for (const operation of this.operations) {
      // Operations of one kind follow each other, so only the oldest of each can have reached the disk; which kinds
      // there are at once is the caller's concern, and each is independent of the others.
      if (random.chance(0.5)) operation.apply();
    }
    this.operations.clear();
    this.stalledTasks.length = 0;
    this.spaceListeners.clear();
    for (const log of this.logs.values()) log.crash(random);
    trees.crash();
    this.locked = false;
    this.nextWriteError = null;
  }

  /** Everything is lost: the next process finds an empty disk. Only when no process has it open. */
  wipe(): void {
    assert(!this.locked, 'Cannot wipe a disk: a process has it open');
    this.manifest = null;
    this.logs.clear();
    for (const name of this.treeNames) this.removeTree(name, () => undefined);
  }

  lock(): void {
    assert(!this.locked, 'Cannot open a disk: another process has it open');
    this.locked = true;
    this.session += 1;
  }

  openTree(name: string): OpenedTreeStore {
    this.treeNames.add(name);
    return this.options.trees.open(name);
  }

  removeTree(name: string, done: () => void): void {
    this.treeNames.delete(name);
    this.options.trees.remove(name, done);
  }

  /** For a tree and a log; never given twice, not even after the disk was wiped. */
  nextName(): string {
    this.names += 1;
    return String(this.names).padStart(6, '0');
  }

  unlock(): void {
    this.locked = false;
    this.session += 1;
    this.spaceListeners.clear();
  }

  onSpace(listener: (full: boolean) => void): () => void {
    this.spaceListeners.add(listener);
    return () => {
      this.spaceListeners.delete(listener);
    };
  }

  /** Runs the task after a delay of the disk, unless the process died. */
  later(scheduler: Scheduler, task: () => void): void {
    const session = this.session;
    scheduler.after(this.options.delayMs(), () => {
      if (this.session !== session) return;
      if (!this.isStalled) task();
      else this.stalledTasks.push(() => this.later(scheduler, task));
    });
  }

  /**
   * A write: `apply` changes the disk, whole, at the end of its delay or at a crash before that; `done` follows, with the
   * error that was ordered for it, in which case nothing was applied.
   */
  write(scheduler: Scheduler, apply: () => void, done: (error: Error | null) => void): void {
    const operation = { apply };
    this.operations.add(operation);
    this.later(scheduler, () => {
      this.operations.delete(operation);
      const error = this.takeWriteError();
      if (error === null) apply();
      done(error);
    });
  }

  /** The failure that was ordered for the next write, once. */
  takeWriteError(): Error | null {
    const error = this.nextWriteError;
    this.nextWriteError = null;
    return error;
  }
}
