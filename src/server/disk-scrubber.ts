// Reads everything that a node keeps on disk, slowly and for ever, so that rot is found while the peers still have what is
// rotten: all rows of the tree, then all durable records of the log. Whoever reads damage tells of it; here is only the pace.

import type { Log } from '../observability/log.js';
import type { Zxid } from '../shared/ids.js';
import type { FileNodeStorage } from '../storage/node-storage.js';
import type { OpenedTreeStore, ScrubPosition } from '../storage/tree-store-opener.js';

export interface DiskScrubberOptions {
  readonly storage: Pick<FileNodeStorage, 'log' | 'store' | 'noteSettled'>;
  /** From the start to the first round, and from the end of a round to the next. */
  readonly delayMs: number;
  readonly intervalMs: number;
  readonly bytesPerSecondMax: number;
  readonly log: Pick<Log, 'info' | 'warn'>;
}

/** The last round that came to its end, and what it verified. */
export interface ScrubRound {
  readonly rounds: number;
  /** Rows of the tree and batches of the log. */
  readonly rows: number;
  readonly bytes: number;
  readonly endedAt: Date;
}

/** Read from the log at a time. */
const logReadBytes = 256 * 1024;
/** Between two slices, however small: the thread that writes has other work. */
const pauseMsMin = 5;

/** Longer ones would be over at once. */
const timerMsMax = 2 ** 31 - 1;

interface Round {
  readonly store: OpenedTreeStore;
  readonly begunMs: number;
  rows: number;
  bytes: number;
}

export class DiskScrubber {
  private readonly options: DiskScrubberOptions;
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;
  private last: ScrubRound | null = null;

  constructor(options: DiskScrubberOptions) {
    this.options = options;
  }

  get lastRound(): ScrubRound | null {
    return this.last;
  }

  start(): void {
    this.after(this.options.delayMs, () => this.begin());
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private begin(): void {
    const { store } = this.options.storage;
    this.scrubTree({ store, begunMs: performance.now(), rows: 0, bytes: 0 }, null);
  }

  private scrubTree(round: Round, from: ScrubPosition | null): void {
    round.store.scrubSlice(from, (error, slice) => {
      if (this.stopped) return;
      if (this.wasReplaced(round)) this.after(pauseMsMin, () => this.begin());
      else if (error !== null || slice === null) this.abandon(error?.message ?? 'there was no answer');
      else {
        const { next } = slice;
        this.count(round, slice.rows, slice.bytes);
        const goOn = (): void => {
          if (next === null) this.scrubLog(round, this.options.storage.log.base, this.options.storage.log.durable);
          else this.scrubTree(round, next);
        };
        this.after(this.pauseMs(slice.bytes), goOn);
      }
    });
  }

  private scrubLog(round: Round, after: Zxid, through: Zxid): void {
    const { storage } = this.options;
    const { log } = storage;
    // Trimmed meanwhile, truncated, or replaced.
    const from = after < log.base ? log.base : after;
    if (this.wasReplaced(round)) {
      this.begin();
      return;
    }
    if (from >= through || from >= log.durable) {
      this.end(round);
      return;
    }
    log.read(from, logReadBytes, (error, batches) => {
      if (this.stopped) return;
      if (this.wasReplaced(round)) {
        this.begin();
        return;
      }
      const last = batches.at(-1)?.last;
      if (last === undefined) {
        // The read can lose a race with trimming; damage was told of by the log itself.
        if (error !== null && log.base <= from) this.abandon(error.message);
        else if (log.base > from) this.after(pauseMsMin, () => this.scrubLog(round, log.base, through));
        else this.end(round);
        return;
      }
      let bytes = 0;
      for (const { body } of batches) bytes += body.length;
      this.count(round, batches.length, bytes);
      this.after(this.pauseMs(bytes), () => this.scrubLog(round, last, through));
    });
  }

  /** A snapshot took the tree's place, and the log's: what closes under a read fails, and nothing was read of the new one. */
  private wasReplaced(round: Round): boolean {
    return this.options.storage.store !== round.store;
  }

  private count(round: Round, rows: number, bytes: number): void {
    round.rows += rows;
    round.bytes += bytes;
  }

  private end({ rows, bytes, begunMs }: Round): void {
    this.last = { rounds: (this.last?.rounds ?? 0) + 1, rows, bytes, endedAt: new Date() };
    this.options.storage.noteSettled();
    const seconds = Math.round((performance.now() - begunMs) / 1000);
    this.options.log.info('verified everything on disk', { rows, bytes, seconds });
    this.after(this.options.intervalMs, () => this.begin());
  }

  private abandon(reason: string): void {
    this.options.log.warn('Verifying what is on disk was given up until the next round', { reason });
    this.after(this.options.intervalMs, () => this.begin());
  }

  private pauseMs(bytes: number): number {
    return Math.max(pauseMsMin, (bytes / this.options.bytesPerSecondMax) * 1000);
  }

  private after(delayMs: number, task: () => void): void {
    if (this.stopped) return;
    this.timer = setTimeout(task, Math.min(delayMs, timerMsMax));
    this.timer.unref();
  }
}
