// The commit log's twin for the simulator: same contract as commit-log.ts over a simulated disk, every callback through
// the scheduler. One write at a time, which takes everything that is waiting.

import type { CommitLog, CommitLogHandler, Scheduler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';
import { formatZxid, type Zxid } from '../shared/ids.js';
import type { Batch, EpochEnd } from '../zab/messages.js';
import { EpochEnds, gapBefore } from './epoch-ends.js';
import type { MemoryDisk } from './memory-disk.js';
import { chainAfter, type MemoryLogContent } from './memory-log-content.js';

export class MemoryCommitLog implements CommitLog {
  private readonly disk: MemoryDisk;
  private readonly content: MemoryLogContent;
  private readonly scheduler: Scheduler;
  private readonly ends: EpochEnds;
  private readonly pins = new Map<number, Zxid>();
  private nextPin = 1;
  private handler: CommitLogHandler | null = null;
  /** Appended and not yet on their way to the disk. */
  private queue: { readonly batch: Batch; readonly chain: number }[] = [];
  private appendedLast: Zxid;
  private appendedChain: number;
  private writing = false;
  private scheduled = false;
  private truncating = false;
  private hasFailed = false;
  private closed = false;
  private closeDone: (() => void) | null = null;
  private waiting: (() => void)[] = [];
  private stopListening: () => void = () => undefined;

  constructor(disk: MemoryDisk, content: MemoryLogContent, scheduler: Scheduler) {
    this.disk = disk;
    this.content = content;
    this.scheduler = scheduler;
    this.ends = new EpochEnds(content.base);
    for (const record of content.records) this.ends.appended(record.batch.last);
    this.appendedLast = content.last;
    this.appendedChain = content.chain;
  }

  get base(): Zxid {
    return this.content.base;
  }

  get last(): Zxid {
    return this.appendedLast;
  }

  get durable(): Zxid {
    return this.content.durable;
  }

  get chain(): number {
    return this.appendedChain;
  }

  get bytes(): number {
    return this.content.bytes;
  }

  epochEnds(): readonly EpochEnd[] {
    return this.ends.all();
  }

  start(handler: CommitLogHandler): void {
    assert(this.handler === null, 'Cannot start a log: it is started already');
    this.handler = handler;
    this.stopListening = this.disk.onSpace((full) => this.spaceChanged(full));
    if (this.disk.full) this.spaceChanged(true);
  }

  append(batch: Batch): void {
    assert(this.handler !== null && !this.truncating, 'Cannot append to a log: it is not started, or being truncated');
    const gap = gapBefore(batch, { last: this.appendedLast, empty: this.appendedLast === this.base });
    assert(gap === null, `Cannot append to a log: ${gap}`);
    this.appendedLast = batch.last;
    this.appendedChain = chainAfter(this.appendedChain, batch);
    this.ends.appended(batch.last);
    this.queue.push({ batch, chain: this.appendedChain });
    this.schedule();
  }

  truncate(to: Zxid, done: () => void): void {
    assert(!this.truncating, 'Cannot truncate a log: a truncation is under way');
    assert(
      to >= this.base && to <= this.appendedLast,
      `Cannot truncate a log to ${formatZxid(to)}: it is outside of it`,
    );
    this.truncating = true;
    this.whenIdle(() => {
      const apply = (): void => this.content.truncate(to);
      this.disk.write(this.scheduler, apply, (error) => {
        if (error !== null) {
          this.fail(error);
          return;
        }
        this.ends.truncated(to);
        this.appendedLast = to;
        this.appendedChain = this.content.chain;
        this.truncating = false;
        done();
      });
    });
  }

  read(after: Zxid, bytesMax: number, done: (error: Error | null, batches: readonly Batch[]) => void): void {
    this.disk.later(this.scheduler, () => {
      if (after < this.base) done(new Error(`Cannot read after ${formatZxid(after)}: the log begins later`), []);
      else done(null, this.collect(after, bytesMax));
    });
  }

  trim(through: Zxid, keepBytes: number): Zxid {
    if (!this.truncating && !this.hasFailed) {
      this.content.trim(Math.min(through, ...this.pins.values()) as Zxid, keepBytes);
      this.ends.trimmed(this.base);
    }
    return this.base;
  }

  pin(after: Zxid): () => void {
    const pin = this.nextPin++;
    this.pins.set(pin, after);
    return () => {
      this.pins.delete(pin);
    };
  }

  /** Finishes the write under way; what still waits is dropped. */
  close(done: () => void): void {
    this.handler = null;
    this.closed = true;
    this.stopListening();
    if (this.writing) this.closeDone = done;
    else this.scheduler.defer(done);
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.scheduler.defer(() => {
      this.scheduled = false;
      this.write();
    });
  }

  private write(): void {
    if (this.writing || this.hasFailed || this.closed) return;
    const started = this.content.records.length;
    for (let next = this.queue[0]; next !== undefined; next = this.queue[0]) {
      if (this.disk.full && this.content.needsSegment(next.batch.body.length)) break;
      this.content.append(next.batch, next.chain);
      this.queue.shift();
    }
    const count = this.content.records.length;
    if (count === started) return;
    const last = this.content.last;
    this.writing = true;
    this.disk.later(this.scheduler, () => this.written(last));
  }

  private written(last: Zxid): void {
    this.writing = false;
    const error = this.disk.takeWriteError();
    if (error !== null) this.fail(error);
    else {
      // Not a count: segments may have been trimmed meanwhile.
      this.content.durableCount = this.content.records.findLastIndex((record) => record.batch.last <= last) + 1;
      this.write();
      this.handler?.durable(last);
      if (!this.writing && this.queue.length === 0) for (const then of this.waiting.splice(0)) then();
    }
    this.closeDone?.();
  }

  private collect(after: Zxid, bytesMax: number): readonly Batch[] {
    const found: Batch[] = [];
    let bytes = 0;
    for (const { batch } of [...this.content.records, ...this.queue]) {
      if (batch.last <= after) continue;
      if (found.length > 0 && bytes + batch.body.length > bytesMax) break;
      found.push(batch);
      bytes += batch.body.length;
    }
    return found;
  }

  private spaceChanged(full: boolean): void {
    this.scheduler.defer(() => this.handler?.pressure(full));
    if (!full) this.schedule();
  }

  private whenIdle(then: () => void): void {
    if (!this.writing && this.queue.length === 0) then();
    else this.waiting.push(then);
  }

  private fail(error: Error): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.handler?.failed(error);
  }
}
