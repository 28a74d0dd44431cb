// Gives those who have much to do their steps, one after the other and for a bounded time in each turn of the event loop,
// so that thousands of them at once delay no request for long.

import type { Scheduler } from '../ensemble/ports.js';
import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';

export interface TurnTaker {
  /** One bounded piece of work; asks for its next turn itself. */
  step(): void;
  /** Damage that the store found while it was read ends this one. */
  fail(error: StoreError): void;
}

export class FairTurns<Taker extends TurnTaker> {
  private readonly scheduler: Pick<Scheduler, 'nowMs' | 'defer'>;
  private readonly turnMs: number;
  private readonly waiting = new Fifo<Taker>();
  private scheduled = false;
  private readonly run = (): void => this.turn();

  constructor(scheduler: Pick<Scheduler, 'nowMs' | 'defer'>, turnMs: number) {
    this.scheduler = scheduler;
    this.turnMs = turnMs;
  }

  /** step() is called once for each call, in a later turn. */
  enqueue(taker: Taker): void {
    this.waiting.push(taker);
    if (this.scheduled) return;
    this.scheduled = true;
    this.scheduler.defer(this.run);
  }

  private turn(): void {
    const endMs = this.scheduler.nowMs() + this.turnMs;
    // What is enqueued during this turn waits for the next one: the rest of the process gets its share.
    for (let count = this.waiting.length; count > 0; count--) {
      const taker = this.waiting.shift();
      if (taker !== undefined) stepOf(taker);
      if (this.scheduler.nowMs() >= endMs) break;
    }
    this.scheduled = this.waiting.length > 0;
    if (this.scheduled) this.scheduler.defer(this.run);
  }
}

/** A defect ends the process. */
export function stepOf(taker: TurnTaker): void {
  try {
    taker.step();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    taker.fail(error);
  }
}
