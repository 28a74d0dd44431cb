// The large requests that are half there, over all connections. Each has to find room for the whole of it before more of
// it is read, waits for its turn, and has to be there in time: many clients that send the beginnings of requests take a
// bounded sum of memory for a bounded time, and small requests of others are read as ever.

import { StoreError } from '../shared/errors.js';

/** A request up to this size needs no room of its own. */
export const smallArrivalBytes = 64 * 2 ** 10;

export class ArrivalBudget {
  private readonly totalBytesMax: number;
  private reservedBytes = 0;
  /** In the order in which they came. */
  private readonly waiting = new Map<Arrival, number>();

  constructor(totalBytesMax: number) {
    this.totalBytesMax = totalBytesMax;
  }

  /** True: the room is taken. False: `granted` will be called. */
  reserve(arrival: Arrival, bytes: number): boolean {
    if (this.waiting.size === 0 && this.reservedBytes + bytes <= this.totalBytesMax) {
      this.reservedBytes += bytes;
      return true;
    }
    this.waiting.set(arrival, bytes);
    return false;
  }

  /** Gives the room back, or the place among those who wait. */
  release(arrival: Arrival, bytes: number): void {
    if (!this.waiting.delete(arrival)) this.reservedBytes -= bytes;
    for (const [next, wanted] of this.waiting) {
      if (this.reservedBytes + wanted > this.totalBytesMax) break;
      this.waiting.delete(next);
      this.reservedBytes += wanted;
      next.granted();
    }
  }
}

export interface ArrivalHost {
  /** There is room: read on. */
  granted(): void;
  /** It was not whole in time. */
  late(error: StoreError): void;
}

/** The large request that one connection is receiving, if it is. */
export class Arrival {
  private readonly budget: ArrivalBudget;
  private readonly timeoutMs: number;
  private readonly host: ArrivalHost;
  private state: 'none' | 'waiting' | 'reading' = 'none';
  private bytes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(budget: ArrivalBudget, timeoutMs: number, host: ArrivalHost) {
    this.budget = budget;
    this.timeoutMs = timeoutMs;
    this.host = host;
  }

  get active(): boolean {
    return this.state !== 'none';
  }

  /** Nothing more may be read now. */
  get waiting(): boolean {
    return this.state === 'waiting';
  }

  /** A request of so many bytes has begun. False: it has to wait for room. */
  begin(bytes: number): boolean {
    this.bytes = bytes;
    this.timer = setTimeout(() => this.late(), this.timeoutMs);
    this.state = this.budget.reserve(this, bytes) ? 'reading' : 'waiting';
    return this.state === 'reading';
  }

  granted(): void {
    this.state = 'reading';
    this.host.granted();
  }

  /** It is whole, or nobody waits for it any more. */
  end(): void {
    if (this.state === 'none') return;
    this.state = 'none';
    clearTimeout(this.timer);
    this.budget.release(this, this.bytes);
  }

  private late(): void {
    const message =
      this.state === 'waiting'
        ? 'The server holds too many bytes of unfinished requests'
        : `A request has not arrived within ${this.timeoutMs} ms of its beginning`;
    this.end();
    this.host.late(new StoreError('OVERLOADED', message));
  }
}
