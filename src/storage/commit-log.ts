// The commit log over real files. Appends go to the writer, which shares durable writes among them; reads, trimming and
// truncation work on whole segments off the event loop. Nothing is reported durable before the disk has it, and after one
// failed write nothing ever is.

import path from 'node:path';
import type { CommitLog, CommitLogHandler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { Batch, EpochEnd } from '../zab/messages.js';
import { isOutOfSpace, removeDurably, settle, toError, writeDurably } from './durable-files.js';
import { type EpochEnds, gapBefore } from './epoch-ends.js';
import { LogDamageError } from './log-damage-error.js';
import { findBoundary, readBatches } from './log-reader.js';
import { beginRecordHeader, chainOfHeader } from './log-record.js';
import { type RecoveredLog, recoverLog } from './log-recovery.js';
import { encodeSegmentHeader, type LogSegment, newSalt, segmentFileName } from './log-segment.js';
import { clearTruncationMark, removeFromPosition, writeTruncationMark } from './log-truncation.js';
import { LogWriter } from './log-writer.js';
import { preallocate, SegmentAllocator } from './segment-allocator.js';
import type { StorageRuntime } from './storage-runtime.js';

export interface CommitLogOptions {
  readonly runtime: StorageRuntime;
  readonly segmentBytes: number;
  /** Between attempts to prepare a segment on a full disk, milliseconds. */
  readonly fullDiskRetryMs: number;
  /** A record that was durable and had been verified is damaged now. Called before the read that met it fails. */
  readonly damaged?: (error: Error) => void;
  /** A write to the log took so long to become durable. */
  readonly synced?: (elapsedMs: number) => void;
}

/** A log that is being created: its first segment is allocated, its base not yet known. */
export interface AllocatedLog {
  readonly directory: string;
}

const firstSequence = 1;

/** Makes the directory of a new log and allocates its first segment. It is no log until `baseLog`. */
export async function allocateLog(
  directory: string,
  { runtime: { files }, segmentBytes }: CommitLogOptions,
): Promise<AllocatedLog> {
  await files.makeDirectory(directory);
  await files.syncDirectory(path.dirname(directory));
  await preallocate(files, path.join(directory, segmentFileName(firstSequence)), { from: 0, to: segmentBytes });
  return { directory };
}

/** Makes an allocated log an empty one that begins after `base`. */
export async function baseLog(runtime: StorageRuntime, log: AllocatedLog, base: Zxid): Promise<void> {
  const header = encodeSegmentHeader({
    sequence: firstSequence,
    salt: newSalt(runtime),
    base,
    baseChain: 0,
    startPosition: 0,
  });
  await writeDurably(runtime.files, path.join(log.directory, segmentFileName(firstSequence)), header);
}

export class FileCommitLog implements CommitLog {
  /** The torn tail that opening has cut, for the operator. */
  readonly cut: RecoveredLog['cut'];
  private readonly runtime: StorageRuntime;
  private readonly directory: string;
  private readonly fullDiskRetryMs: number;
  private readonly segments: LogSegment[];
  private readonly ends: EpochEnds;
  private readonly allocator: SegmentAllocator;
  private readonly writer: LogWriter;
  private readonly pins = new Map<number, Zxid>();
  private nextPin = 1;
  private handler: CommitLogHandler | null = null;
  private lastAppended: Zxid;
  private lastChain: number;
  private lastDurable: Zxid;
  private truncating = false;
  private truncations = 0;
  private readonly damaged: CommitLogOptions['damaged'];
  /** Set while a truncation waits for room on the disk. */
  private cancelCut: () => void = () => {};
  private hasFailed = false;
  /** Removals of trimmed segments, one after the other: oldest first also on disk, so that a crash leaves no hole. */
  private removals: Promise<void> = Promise.resolve();

  /** Recovers the log in this directory; see log-recovery.ts for what it repairs and what it refuses. */
  static async open(directory: string, options: CommitLogOptions): Promise<FileCommitLog> {
    return new FileCommitLog(directory, options, await recoverLog(options.runtime.files, directory));
  }

  private constructor(directory: string, options: CommitLogOptions, recovered: RecoveredLog) {
    const { runtime } = options;
    this.runtime = runtime;
    this.damaged = options.damaged;
    this.fullDiskRetryMs = options.fullDiskRetryMs;
    this.directory = directory;
    this.segments = recovered.segments;
    this.ends = recovered.epochEnds;
    this.cut = recovered.cut;
    const active = this.activeSegment;
    this.lastAppended = active.last;
    this.lastChain = active.chain;
    this.lastDurable = active.last;
    this.allocator = new SegmentAllocator(
      {
        runtime,
        directory,
        segmentBytes: options.segmentBytes,
        retryMs: options.fullDiskRetryMs,
        ready: () => this.writer.resume(),
        pressure: (full) => this.handler?.pressure(full),
        failed: (error) => this.fail(error),
      },
      recovered,
    );
    this.writer = new LogWriter({
      runtime,
      directory,
      segments: this.segments,
      allocator: this.allocator,
      durable: (through) => this.becameDurable(through),
      failed: (error) => this.fail(error),
      ...(options.synced === undefined ? {} : { synced: options.synced }),
    });
  }

  get base(): Zxid {
    return this.firstSegment.header.base;
  }

  get last(): Zxid {
    return this.lastAppended;
  }

  get durable(): Zxid {
    return this.lastDurable;
  }

  get chain(): number {
    return this.lastChain;
  }

  get bytes(): number {
    return this.activeSegment.endPosition - this.firstSegment.header.startPosition;
  }

  epochEnds(): readonly EpochEnd[] {
    return this.ends.all();
  }

  /** From here on appends are taken, and the next segment is prepared. Called once. */
  start(handler: CommitLogHandler): void {
    assert(this.handler === null, `Cannot start the log ${this.directory}: it is started already`);
    this.handler = handler;
    this.allocator.prepare();
  }

  append(batch: Batch): void {
    assert(
      this.handler !== null && !this.truncating,
      `Cannot append to the log ${this.directory}: it is not started, or being truncated`,
    );
    const gap = gapBefore(batch, { last: this.lastAppended, empty: this.lastAppended === this.base });
    assert(gap === null, `Cannot append to the log ${this.directory}: ${gap}`);
    const header = beginRecordHeader(batch, this.lastChain);
    this.lastAppended = batch.last;
    this.lastChain = chainOfHeader(header);
    this.ends.appended(batch.last);
    this.writer.append({ batch, header });
  }

  truncate(to: Zxid, done: () => void): void {
    assert(!this.truncating, `Cannot truncate the log ${this.directory}: a truncation is under way`);
    assert(
      to >= this.base && to <= this.lastAppended,
      `Cannot truncate the log ${this.directory} to ${formatZxid(to)}: it is outside of it`,
    );
    this.truncating = true;
    this.truncations += 1;
    this.writer.whenIdle(() => this.truncateNow(to, done));
  }

  private truncateNow(to: Zxid, done: () => void): void {
    settle(this.runtime, this.cutAfter(to), (error) => {
      if (isOutOfSpace(error) && this.handler !== null) {
        // It needs room only for the mark that comes first: nothing has changed yet.
        this.cancelCut = this.runtime.after(this.fullDiskRetryMs, () => this.truncateNow(to, done));
        return;
      }
      // Half a truncation may be on disk; it is finished at the next opening, and only there.
      if (error !== null) this.fail(error);
      else if (!this.hasFailed) {
        this.truncating = false;
        done();
      }
    });
  }

  read(after: Zxid, bytesMax: number, done: (error: Error | null, batches: readonly Batch[]) => void): void {
    if (after < this.base) {
      const reason = `Cannot read after ${formatZxid(after)}: the log holds only what follows ${formatZxid(this.base)}`;
      this.runtime.defer(() => done(new Error(reason), []));
      return;
    }
    const segment = after < this.lastDurable ? this.segments.find((candidate) => candidate.last > after) : undefined;
    if (segment === undefined) {
      const batches = this.readNotDurable(after, bytesMax);
      this.runtime.defer(() => done(null, batches));
      return;
    }
    segment.use();
    const { truncations } = this;
    const quiet = !this.truncating;
    settle(this.runtime, readBatches(segment, after, bytesMax), (error, batches) => {
      segment.release();
      // What a truncation has zeroed under the reader is not damaged.
      if (error instanceof LogDamageError && quiet && truncations === this.truncations) this.damaged?.(error);
      done(error, batches ?? []);
    });
  }

  trim(through: Zxid, keepBytes: number): Zxid {
    if (this.truncating || this.hasFailed) return this.base;
    let limit = Math.min(through, this.lastDurable);
    for (const after of this.pins.values()) limit = Math.min(limit, after);
    while (
      this.segments.length > 1 &&
      // The one after it has its header on disk: a log whose first segment has none is no log.
      (this.segments[1] as LogSegment).durableEnd > 0 &&
      this.firstSegment.last <= limit &&
      this.bytes - this.firstSegment.end >= keepBytes
    ) {
      const segment = this.segments.shift() as LogSegment;
      segment.retire();
      this.removals = this.removals
        .then(() => removeDurably(this.runtime.files, segment.file))
        .catch((error: unknown) => this.fail(toError(error)));
    }
    this.ends.trimmed(this.base);
    return this.base;
  }

  pin(after: Zxid): () => void {
    const pin = this.nextPin++;
    this.pins.set(pin, after);
    return () => {
      this.pins.delete(pin);
    };
  }

  /** Finishes what is being written, then closes the files; the handler hears no more. What waits for a full disk is dropped. */
  close(done: () => void): void {
    this.handler = null;
    this.cancelCut();
    this.writer.close(() => {
      this.allocator.close(() => {
        settle(this.runtime, this.removals, () => {
          for (const segment of this.segments) segment.retire();
          done();
        });
      });
    });
  }

  private get firstSegment(): LogSegment {
    return this.segments[0] as LogSegment;
  }

  private get activeSegment(): LogSegment {
    return this.segments.at(-1) as LogSegment;
  }

  private becameDurable(through: Zxid): void {
    this.lastDurable = through;
    this.handler?.durable(through);
  }

  private fail(error: Error): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.handler?.failed(error);
  }

  private readNotDurable(after: Zxid, bytesMax: number): readonly Batch[] {
    const batches: Batch[] = [];
    let bytes = 0;
    for (const { batch } of this.writer.notDurable) {
      if (batch.last <= after) continue;
      if (batches.length > 0 && bytes + batch.body.length > bytesMax) break;
      batches.push(batch);
      bytes += batch.body.length;
    }
    return batches;
  }

  private async cutAfter(to: Zxid): Promise<void> {
    if (to === this.lastAppended) return;
    const index = Math.max(
      this.segments.findLastIndex((segment) => segment.header.base < to),
      0,
    );
    const target = this.segments[index] as LogSegment;
    const { offset, chain } = await findBoundary(target, to);
    const position = target.header.startPosition + offset;
    const { files: fileSystem } = this.runtime;
    await writeTruncationMark(fileSystem, this.directory, position);
    const files = this.segments.map((segment) => ({
      file: segment.file,
      startPosition: segment.header.startPosition,
      end: segment.end,
    }));
    await removeFromPosition(fileSystem, files, position);
    await clearTruncationMark(fileSystem, this.directory);
    for (const segment of this.segments.splice(index + 1)) segment.retire();
    target.cut({ offset, last: to, chain });
    this.ends.truncated(to);
    this.lastAppended = to;
    this.lastDurable = to;
    this.lastChain = chain;
  }
}
