// Gives watches that are not live their steps, and knows the open ones.

import type { Scheduler } from '../ensemble/ports.js';
import { FairTurns } from './fair-turns.js';
import type { StoreWatch, WatchTurns } from './store-watch.js';

export class FairWatchTurns implements WatchTurns {
  private readonly turns: FairTurns<StoreWatch>;
  private readonly open = new Set<StoreWatch>();

  constructor(scheduler: Pick<Scheduler, 'nowMs' | 'defer'>, turnMs: number) {
    this.turns = new FairTurns(scheduler, turnMs);
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
    this.turns.enqueue(watch);
  }
}
