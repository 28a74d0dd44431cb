// Brings appended batches to disk. All that is waiting goes out in one durable write; up to writesInFlightMax of them
// overlap, reported strictly in order. A single small batch is written synchronously when the disk is known to be fast.
// After a failed write nothing is ever reported durable again.

import type { Bytes } from '../shared/bytes.js';
import type { Zxid } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { toError } from './durable-files.js';
import { chainOfHeader, paddingAfter, recordBytes, recordHeaderBytes, sealRecordHeader } from './log-record.js';
import { encodeSegmentHeader, LogSegment, segmentHeaderBytes } from './log-segment.js';
import type { SegmentAllocator } from './segment-allocator.js';
import type { StorageRuntime } from './storage-runtime.js';
import { SyncGauge } from './sync-gauge.js';

/** Durable writes under way at once. */
export const writesInFlightMax = 2;
/** Bytes of one durable write, unless a single record is larger. */
const writeBytesMax = 8 * 2 ** 20;
/** Largest write that is made on the event loop itself, bytes. */
const syncWriteBytesMax = 2 * 1024;
/** Below this the pieces of a write are copied into one buffer. */
const joinBytesMax = 32 * 1024;

const padding = Buffer.alloc(8);

export interface PendingBatch {
  readonly batch: Batch;
  /** Begun, not sealed. */
  readonly header: Buffer;
}

interface WriteGroup {
  readonly segment: LogSegment;
  readonly batches: number;
  readonly bytes: number;
  readonly offset: number;
  readonly endOffset: number;
  readonly last: Zxid;
  readonly startedMs: number;
  done: boolean;
}

export interface LogWriterOptions {
  readonly runtime: StorageRuntime;
  readonly directory: string;
  /** Shared with the log, which may remove from its front. The last one is written to. */
  readonly segments: LogSegment[];
  readonly allocator: SegmentAllocator;
  /** Neither is called from within `append`. */
  readonly durable: (through: Zxid) => void;
  readonly failed: (error: Error) => void;
  /** A write took so long to become durable. */
  readonly synced?: (elapsedMs: number) => void;
}

export class LogWriter {
  private readonly options: LogWriterOptions;
  private readonly gauge = new SyncGauge();
  /** Appended and not durable, in order; the first `submitted` of them are being written. */
  private readonly pending: PendingBatch[] = [];
  private submitted = 0;
  private readonly groups: WriteGroup[] = [];
  private scheduled = false;
  private stopped = false;
  private hasFailed = false;
  /** Asynchronous writes that the operating system still holds. */
  private inFlight = 0;
  /** Header of the segment that was begun and not written to yet. */
  private unwrittenHeader: Buffer | null = null;
  private waiting: { readonly what: 'idle' | 'quiet'; readonly done: () => void }[] = [];

  constructor(options: LogWriterOptions) {
    this.options = options;
  }

  /** Batches that are not durable yet, in order. */
  get notDurable(): readonly PendingBatch[] {
    return this.pending;
  }

  append(batch: PendingBatch): void {
    if (this.stopped) return;
    this.pending.push(batch);
    if (this.scheduled) return;
    this.scheduled = true;
    // Not a microtask: whatever arrives in this turn of the event loop shares the write, and frames already handed to
    // sockets leave before a synchronous write holds the loop up.
    this.options.runtime.defer(this.scheduledPump);
  }

  /** Goes on after something that writing waited for, e.g. a spare segment. */
  resume(): void {
    this.pump(false);
    this.settleWaiting();
  }

  /** `done` once everything appended is durable; never when writing has failed. */
  whenIdle(done: () => void): void {
    this.waiting.push({ what: 'idle', done });
    this.options.runtime.defer(() => this.settleWaiting());
  }

  /** Writes what can be written, then `done` once no write is under way. Nothing is written afterwards. */
  close(done: () => void): void {
    this.pump(false);
    this.stopped = true;
    this.waiting.push({ what: 'quiet', done });
    this.options.runtime.defer(() => this.settleWaiting());
  }

  private readonly scheduledPump = (): void => {
    this.scheduled = false;
    this.pump(true);
    this.settleWaiting();
  };

  private pump(syncAllowed: boolean): void {
    while (!this.stopped && this.submitted < this.pending.length && this.groups.length < writesInFlightMax) {
      const next = this.pending[this.submitted] as PendingBatch;
      const segment = this.openWritableSegment(recordBytes(next.batch.body.length));
      if (segment === null) return;
      const alone = syncAllowed && this.pending.length === 1;
      const { group, buffers } = this.gather(segment);
      this.groups.push(group);
      if (alone && group.bytes <= syncWriteBytesMax && this.gauge.fast) this.writeNow(group, buffers);
      else this.write(group, buffers, 0);
    }
  }

  private openWritableSegment(bytes: number): LogSegment | null {
    try {
      return this.writableSegment(bytes);
    } catch (error) {
      this.fail(toError(error));
      return null;
    }
  }

  /** The segment that takes the next record, null while that must wait. */
  private writableSegment(bytes: number): LogSegment | null {
    const { runtime, segments, allocator, directory } = this.options;
    const active = segments.at(-1) as LogSegment;
    if (active.end + bytes <= active.capacity) return active;
    // A segment is begun only when everything before it is durable: recovery relies on it.
    if (this.groups.length > 0) return null;
    const spare = allocator.take(segmentHeaderBytes + bytes);
    if (spare === null) return null;
    const header = {
      sequence: spare.sequence,
      salt: active.header.salt,
      base: active.last,
      baseChain: active.chain,
      startPosition: active.endPosition,
    };
    const segment = new LogSegment({ files: runtime.files, directory, header, capacity: spare.capacity });
    // Its header goes out with its first records: until then not even that is durable.
    segment.durableEnd = 0;
    this.unwrittenHeader = encodeSegmentHeader(header);
    segments.push(segment);
    allocator.prepare();
    return segment;
  }

  /** Seals as many waiting batches as fit into one write. */
  private gather(segment: LogSegment): { readonly group: WriteGroup; readonly buffers: Buffer[] } {
    const buffers: Buffer[] = [];
    const { startPosition, salt } = segment.header;
    const durablePosition = startPosition + segment.durableEnd;
    const offset = this.unwrittenHeader === null ? segment.end : 0;
    if (this.unwrittenHeader !== null) buffers.push(this.unwrittenHeader);
    this.unwrittenHeader = null;
    let batches = 0;
    for (let i = this.submitted; i < this.pending.length; i++) {
      const { batch, header } = this.pending[i] as PendingBatch;
      const bytes = recordBytes(batch.body.length);
      if (segment.end + bytes > segment.capacity) break;
      if (batches > 0 && segment.end + bytes - offset > writeBytesMax) break;
      sealRecordHeader(header, { position: startPosition + segment.end, durablePosition, salt });
      buffers.push(header, asBuffer(batch.body));
      const gap = paddingAfter(recordHeaderBytes + batch.body.length);
      if (gap > 0) buffers.push(padding.subarray(0, gap));
      segment.added({ first: batch.first, last: batch.last, chain: chainOfHeader(header), bytes });
      batches += 1;
    }
    this.submitted += batches;
    const bytes = segment.end - offset;
    const group = {
      segment,
      batches,
      bytes,
      offset,
      endOffset: segment.end,
      last: segment.last,
      startedMs: this.options.runtime.nowMs(),
      done: false,
    };
    return { group, buffers: bytes <= joinBytesMax ? [Buffer.concat(buffers)] : buffers };
  }

  private writeNow(group: WriteGroup, buffers: Buffer[]): void {
    const whole = buffers.length === 1 ? (buffers[0] as Buffer) : Buffer.concat(buffers);
    try {
      for (let written = 0; written < whole.length; ) {
        written += group.segment.handle.writeSync(whole, written, group.offset + written);
      }
    } catch (error) {
      this.fail(toError(error));
      return;
    }
    this.written(group);
  }

  private write(group: WriteGroup, buffers: Buffer[], from: number): void {
    const finished = (error: Error | null, bytes: number): void => {
      const written = from + bytes;
      if (error === null && bytes > 0 && written < group.bytes) {
        this.write(group, [Buffer.concat(buffers).subarray(bytes)], written);
        return;
      }
      this.inFlight -= 1;
      if (error !== null) this.fail(error);
      else if (written < group.bytes)
        this.fail(new Error(`Cannot write to ${group.segment.file}: the device takes no more bytes`));
      else this.written(group);
      this.settleWaiting();
    };
    if (from === 0) this.inFlight += 1;
    const only = buffers[0];
    const { handle } = group.segment;
    if (buffers.length === 1 && only !== undefined) handle.write(only, group.offset + from, finished);
    else handle.writev(buffers, group.offset + from, finished);
  }

  private written(group: WriteGroup): void {
    if (this.hasFailed) return;
    const elapsedMs = this.options.runtime.nowMs() - group.startedMs;
    this.gauge.record(elapsedMs);
    this.options.synced?.(elapsedMs);
    group.done = true;
    let through: Zxid | null = null;
    // A write that overtook an older one becomes durable with it, never before.
    for (let oldest = this.groups[0]; oldest?.done === true; oldest = this.groups[0]) {
      this.groups.shift();
      this.pending.splice(0, oldest.batches);
      this.submitted -= oldest.batches;
      oldest.segment.durableEnd = oldest.endOffset;
      through = oldest.last;
    }
    // The disk gets its next write before the driver spends time on what this one brings about.
    this.pump(false);
    if (through !== null) this.options.durable(through);
  }

  /** Fail-stop: what the disk holds now is unknown, and a later success would not change that. */
  private fail(error: Error): void {
    if (this.hasFailed) return;
    this.hasFailed = true;
    this.stopped = true;
    this.options.failed(error);
  }

  private settleWaiting(): void {
    if (this.waiting.length === 0) return;
    const quiet = this.inFlight === 0;
    const idle = !this.hasFailed && this.pending.length === 0;
    const ready = this.waiting.filter((waiter) => (waiter.what === 'idle' ? idle : quiet));
    this.waiting = this.waiting.filter((waiter) => (waiter.what === 'idle' ? !idle : !quiet));
    for (const waiter of ready) waiter.done();
  }
}

function asBuffer(bytes: Bytes): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
