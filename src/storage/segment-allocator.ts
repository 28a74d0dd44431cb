// Prepares the next segment of the log in the background: a file of zeros, fully allocated and synced, so that an append
// never allocates space and never changes a file's size. A full disk shows here, where it is harmless, and is retried.

import path from 'node:path';
import { fillZeros, isOutOfSpace, toError } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import { segmentFileName } from './log-segment.js';
import type { StorageRuntime } from './storage-runtime.js';

export interface SpareSegment {
  readonly file: string;
  readonly sequence: number;
  readonly capacity: number;
}

export interface SegmentAllocatorOptions {
  readonly runtime: StorageRuntime;
  readonly directory: string;
  /** Size of a segment, unless a single record needs more. */
  readonly segmentBytes: number;
  /** Between attempts while there is no space, milliseconds. */
  readonly retryMs: number;
  /** A spare is ready that was asked for in vain. Each of these is called from a turn of its own. */
  readonly ready: () => void;
  readonly pressure: (full: boolean) => void;
  readonly failed: (error: Error) => void;
}

/** Creates a file of this many zeros, or makes an existing one longer; durable in either case. */
export async function preallocate(
  files: FileSystem,
  file: string,
  range: { readonly from: number; readonly to: number },
  pace?: () => void,
): Promise<void> {
  await (await files.open(file, range.from === 0 ? 'replace' : 'update')).close();
  await fillZeros(files, file, range, pace);
  await files.syncDirectory(path.dirname(file));
}

class AllocatorClosedError extends Error {
  override readonly name = 'AllocatorClosedError';
}

export class SegmentAllocator {
  private readonly options: SegmentAllocatorOptions;
  private spare: SpareSegment | null = null;
  /** Found at opening: perhaps not as long as it is to be, perhaps not durable. */
  private begun: SpareSegment | null;
  private nextSequence: number;
  /** Least capacity that somebody waits for, 0 when nobody does. */
  private wantedBytes = 0;
  private working = false;
  private full = false;
  private closed = false;
  private cancelRetry: (() => void) | null = null;
  private whenIdle: (() => void)[] = [];

  constructor(
    options: SegmentAllocatorOptions,
    found: { readonly nextSequence: number; readonly spare: SpareSegment | null },
  ) {
    this.options = options;
    this.nextSequence = found.nextSequence;
    this.begun = found.spare;
  }

  /** Starts preparing a spare unless there is one. */
  prepare(): void {
    if (this.closed || this.working || this.cancelRetry !== null) return;
    if (this.spare !== null && this.spare.capacity >= this.wantedBytes) return;
    this.working = true;
    const target = this.spare ??
      this.begun ?? {
        file: path.join(this.options.directory, segmentFileName(this.nextSequence)),
        sequence: this.nextSequence,
        capacity: 0,
      };
    this.begun = null;
    const capacity = Math.max(this.options.segmentBytes, this.wantedBytes, target.capacity);
    const pace = (): void => {
      if (this.closed) throw new AllocatorClosedError('the log is being closed');
    };
    const { runtime } = this.options;
    preallocate(runtime.files, target.file, { from: target.capacity, to: capacity }, pace).then(
      () => runtime.defer(() => this.prepared({ ...target, capacity })),
      (error: unknown) => this.giveBack(target, toError(error)),
    );
  }

  /** The spare, if it is ready and holds this much; else null, and `ready` is called when it is. */
  take(bytesMin: number): SpareSegment | null {
    if (this.working || this.spare === null || this.spare.capacity < bytesMin) {
      this.wantedBytes = Math.max(this.wantedBytes, bytesMin);
      this.prepare();
      return null;
    }
    const spare = this.spare;
    this.spare = null;
    this.wantedBytes = 0;
    this.nextSequence = spare.sequence + 1;
    return spare;
  }

  close(done: () => void): void {
    this.closed = true;
    this.cancelRetry?.();
    this.cancelRetry = null;
    if (this.working) this.whenIdle.push(done);
    else this.options.runtime.defer(done);
  }

  private prepared(spare: SpareSegment): void {
    this.spare = spare;
    this.idle();
    if (this.closed) return;
    this.setFull(false);
    if (spare.capacity < this.wantedBytes) this.prepare();
    else if (this.wantedBytes > 0) this.options.ready();
  }

  /** Leaves no half-filled file behind: its blocks may be what the tree needs for the flush that frees log segments. */
  private giveBack(target: SpareSegment, error: Error): void {
    this.spare = null;
    const { runtime } = this.options;
    const outcome = (removal: Error | null): void => {
      runtime.defer(() => this.notPrepared(removal ?? error));
    };
    runtime.files.remove(target.file).then(
      () => outcome(null),
      (removal: unknown) => outcome(toError(removal)),
    );
  }

  private notPrepared(error: Error): void {
    this.idle();
    if (this.closed) return;
    if (!isOutOfSpace(error)) {
      this.options.failed(error);
      return;
    }
    this.cancelRetry = this.options.runtime.after(this.options.retryMs, () => {
      this.cancelRetry = null;
      this.prepare();
    });
    this.setFull(true);
  }

  private setFull(full: boolean): void {
    if (this.full === full) return;
    this.full = full;
    this.options.pressure(full);
  }

  private idle(): void {
    this.working = false;
    const waiting = this.whenIdle;
    this.whenIdle = [];
    for (const done of waiting) done();
  }
}
