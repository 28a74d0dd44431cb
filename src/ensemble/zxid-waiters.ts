// Callbacks that wait until this node has applied a zxid. Requests for the same or growing zxids, the usual case, cost
// constant time; a smaller one is inserted where it belongs.

import { StoreError } from '../shared/errors.js';
import { Fifo } from '../shared/fifo.js';
import type { Zxid } from '../shared/ids.js';

interface Waiter {
  readonly zxid: Zxid;
  readonly deadlineMs: number;
  readonly done: (error: StoreError | null) => void;
}

export class ZxidWaiters {
  private waiters = new Fifo<Waiter>();
  private earliestDeadlineMs = Number.POSITIVE_INFINITY;

  get length(): number {
    return this.waiters.length;
  }

  /** The caller has checked that `zxid` is not applied yet. */
  add(zxid: Zxid, deadlineMs: number, done: (error: StoreError | null) => void): void {
    const waiter: Waiter = { zxid, deadlineMs, done };
    if (deadlineMs < this.earliestDeadlineMs) this.earliestDeadlineMs = deadlineMs;
    const last = this.waiters.peekLast();
    if (last === undefined || last.zxid <= zxid) {
      this.waiters.push(waiter);
      return;
    }
    const later: Waiter[] = [];
    for (let end = this.waiters.peekLast(); end !== undefined && end.zxid > zxid; end = this.waiters.peekLast()) {
      later.push(end);
      this.waiters.pop();
    }
    this.waiters.push(waiter);
    while (later.length > 0) this.waiters.push(later.pop() as Waiter);
  }

  /** Calls back everyone who waited for `applied` or less, in zxid order. */
  release(applied: Zxid): void {
    for (let first = this.waiters.peek(); first !== undefined && first.zxid <= applied; first = this.waiters.peek()) {
      this.waiters.shift();
      first.done(null);
    }
  }

  /** Fails whoever's deadline has passed. */
  expire(nowMs: number): void {
    if (nowMs < this.earliestDeadlineMs) return;
    const kept = new Fifo<Waiter>();
    const expired: Waiter[] = [];
    this.earliestDeadlineMs = Number.POSITIVE_INFINITY;
    for (const waiter of this.waiters) {
      if (waiter.deadlineMs <= nowMs) expired.push(waiter);
      else {
        kept.push(waiter);
        if (waiter.deadlineMs < this.earliestDeadlineMs) this.earliestDeadlineMs = waiter.deadlineMs;
      }
    }
    this.waiters = kept;
    for (const waiter of expired) {
      waiter.done(new StoreError('TIMEOUT', `this node has not applied zxid ${waiter.zxid} within the deadline`));
    }
  }
}
