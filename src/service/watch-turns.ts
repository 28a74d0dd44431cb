// Gives watches that are not live their steps, one after the other and for a bounded time in each turn of the event
// loop, so that thousands that catch up at once delay no request for long.

import type { Scheduler } from '../ensemble/ports.js';
import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import type { StoreWatch, WatchTurns } from './store-watch.js';

export class FairWatchTurns implements WatchTurns {
  private readonly scheduler: Pick<Scheduler, 'nowMs' | 'defer'>;
  private readonly turnMs: number;
  private readonly waiting = new Fifo<StoreWatch>();
  private readonly open = new Set<StoreWatch>();
  private scheduled = false;
  private readonly run = (): void => this.turn();

  constructor(scheduler: Pick<Scheduler, 'nowMs' | 'defer'>, turnMs: number) {
    this.scheduler = scheduler;
    this.turnMs = turnMs;
  }

  /** Watches that are open. */
  get size(): number {
    return this.open.size;
  }

  began(watch: StoreWatch): void {
    this.open.add(watch);
  }

  ended(watch: StoreWatch): void {
    this.open.delete(watch);
  }

  /** What they may read has changed, or may have. */
  reviewAll(): void {
    for (const watch of this.open) watch.review();
  }

  enqueue(watch: StoreWatch): void {
    this.waiting.push(watch);
    if (this.scheduled) return;
    this.scheduled = true;
    this.scheduler.defer(this.run);
  }

  private turn(): void {
    const endMs = this.scheduler.nowMs() + this.turnMs;
    // What is enqueued during this turn waits for the next one: the rest of the process gets its share.
    for (let count = this.waiting.length; count > 0; count--) {
      const watch = this.waiting.shift();
      if (watch !== undefined) stepOf(watch);
      if (this.scheduler.nowMs() >= endMs) break;
    }
    this.scheduled = this.waiting.length > 0;
    if (this.scheduled) this.scheduler.defer(this.run);
  }
}

/** Damage that the store finds while it is read ends this watch; a defect ends the process. */
function stepOf(watch: StoreWatch): void {
  try {
    watch.step();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    watch.fail(error);
  }
}
