// Virtual time: one queue of tasks ordered by time, then by the order in which they were asked for. Every node sees it
// through its own NodeScheduler, so that a crashed node's tasks vanish and a paused node's wait. Never reads a real clock.

import type { Scheduler } from '../ensemble/ports.js';
import { assert } from '../shared/assert.js';

interface Entry {
  atMs: number;
  readonly sequence: number;
  readonly owner: NodeScheduler | null;
  /** Due by the owner's clock, not by true time. */
  readonly timer: boolean;
  task: (() => void) | null;
}

/** Told of every task that runs, for the trace and its hash. */
export type ClockObserver = (atMs: number, owner: NodeScheduler | null) => void;

export class VirtualClock {
  private readonly heap: Entry[] = [];
  private nextSequence = 1;
  private now = 0;
  /** Tasks run so far. */
  executed = 0;
  /** Called after every task that ran. */
  observer: ClockObserver | undefined;
  /** Takes what a task throws; without it the run ends there. */
  onError: ((error: unknown, owner: NodeScheduler | null) => void) | undefined;

  private promisesAreDue = false;

  nowMs(): number {
    return this.now;
  }

  /** A task has settled a promise, or called what waits for one: before the next task whatever follows from it runs. */
  promisesDue(): void {
    this.promisesAreDue = true;
  }

  /** Runs the task at `atMs` (not before now). The returned function cancels it. */
  at(atMs: number, owner: NodeScheduler | null, task: () => void, timer = false): () => void {
    assert(atMs >= this.now, `Cannot schedule at ${atMs}: now is ${this.now}`);
    const entry: Entry = { atMs, sequence: this.nextSequence++, owner, timer, task };
    this.push(entry);
    return () => {
      entry.task = null;
    };
  }

  /** Runs the task of the world itself (network, fault plan, workload) after `delayMs`. */
  after(delayMs: number, task: () => void): () => void {
    return this.at(this.now + delayMs, null, task);
  }

  /** The clock of `owner` has jumped: its timers are due so much later in true time, or earlier, but not before now. */
  shiftTimers(owner: NodeScheduler, byMs: number): void {
    for (const entry of this.heap) {
      if (entry.owner === owner && entry.timer) entry.atMs = Math.max(this.now, entry.atMs + byMs);
    }
    // A sorted array is a heap.
    this.heap.sort((a, b) => (before(a, b) ? -1 : 1));
  }

  /** Runs everything that is due up to `untilMs`, or until `stop` says so after a task. Time then stands at `untilMs`. */
  runUntil(untilMs: number, stop?: () => boolean): void {
    for (;;) {
      const head = this.heap[0];
      if (head === undefined || head.atMs > untilMs) break;
      this.pop();
      if (this.run(head) && stop?.() === true) return;
    }
    if (untilMs > this.now) this.now = untilMs;
  }

  /** As `runUntil`, for a world in which somebody works with promises. */
  async runPromisesUntil(untilMs: number, stop?: () => boolean): Promise<void> {
    for (;;) {
      const head = this.heap[0];
      if (head === undefined || head.atMs > untilMs) break;
      this.pop();
      if (!this.run(head)) continue;
      if (this.promisesAreDue) {
        this.promisesAreDue = false;
        await allPromises();
      }
      if (stop?.() === true) return;
    }
    if (untilMs > this.now) this.now = untilMs;
  }

  /** False when the task was cancelled, belongs to a dead node, or was put off because its node is paused. */
  private run(entry: Entry): boolean {
    const { owner, task } = entry;
    if (task === null || (owner !== null && !owner.alive)) return false;
    if (owner !== null && owner.pausedUntilMs > entry.atMs) {
      entry.atMs = owner.pausedUntilMs;
      this.push(entry);
      return false;
    }
    this.now = entry.atMs;
    this.executed += 1;
    entry.task = null;
    try {
      task();
    } catch (error) {
      if (this.onError === undefined) throw error;
      this.onError(error, owner);
    }
    this.observer?.(this.now, owner);
    return true;
  }

  private push(entry: Entry): void {
    const heap = this.heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Entry;
      if (!before(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  private pop(): void {
    const heap = this.heap;
    const last = heap.pop() as Entry;
    const length = heap.length;
    if (length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      if (childIndex >= length) break;
      let child = heap[childIndex] as Entry;
      const right = heap[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex += 1;
      }
      if (!before(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

/** Once no promise has anything left to do: a turn of the event loop ends only then. */
function allPromises(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.sequence < b.sequence);
}

/** How one node's clock differs from true time. */
export interface ClockSkew {
  /** Added to every reading. */
  readonly originMs: number;
  /** 1.01: this node's clock gains a hundredth. */
  readonly rate: number;
}

/**
 * One boot of one node: its clock, timers and everything that the world delivers to it. The clock stands for production's
 * performance.now(), which never goes back. It may run at another rate, jump forward (a virtual machine that was moved),
 * and stand still together with the process (a suspended machine).
 */
export class NodeScheduler implements Scheduler {
  readonly node: number;
  /** False for ever once the process has crashed or stopped. */
  alive = true;
  /** True time up to which the process is frozen. */
  pausedUntilMs = 0;
  private suspendedUntilMs = 0;
  private readonly clock: VirtualClock;
  private readonly rate: number;
  private originMs: number;

  constructor(clock: VirtualClock, node: number, skew: ClockSkew) {
    this.clock = clock;
    this.node = node;
    this.rate = skew.rate;
    this.originMs = skew.originMs;
  }

  nowMs(): number {
    return this.originMs + this.clock.nowMs() * this.rate;
  }

  /** True time, for the world around the node; the node itself never sees it. */
  trueNowMs(): number {
    return this.clock.nowMs();
  }

  defer(task: () => void): void {
    this.clock.at(this.clock.nowMs(), this, task);
  }

  every(intervalMs: number, task: () => void): () => void {
    assert(intervalMs > 0, `Cannot repeat every ${intervalMs} ms`);
    let cancel: () => void;
    const fire = (): void => {
      cancel = this.after(intervalMs, fire);
      task();
    };
    cancel = this.after(intervalMs, fire);
    return () => cancel();
  }

  after(delayMs: number, task: () => void): () => void {
    return this.clock.at(this.clock.nowMs() + Math.max(0, delayMs) / this.rate, this, task, true);
  }

  /** Runs the task in this process after a delay in true time: arrival of a message, completion of a disk write. */
  deliver(delayMs: number, task: () => void): void {
    this.clock.at(this.clock.nowMs() + delayMs, this, task);
  }

  /** Freezes the process (SIGSTOP, a long garbage collection). Its tasks run late, in order. */
  pause(durationMs: number): void {
    this.pausedUntilMs = Math.max(this.pausedUntilMs, this.clock.nowMs() + durationMs);
  }

  /** The node's clock jumps forward. What its timers waited for has come. */
  jump(forwardMs: number): void {
    this.originMs += forwardMs;
    this.clock.shiftTimers(this, -forwardMs / this.rate);
  }

  /** Freezes the process and its clock, which goes on from the same reading. */
  suspend(durationMs: number): void {
    this.pause(durationMs);
    // What stands still already is not stopped again.
    const nowMs = this.clock.nowMs();
    const longerMs = nowMs + durationMs - Math.max(nowMs, this.suspendedUntilMs);
    if (longerMs <= 0) return;
    this.suspendedUntilMs = nowMs + durationMs;
    this.originMs -= longerMs * this.rate;
    this.clock.shiftTimers(this, longerMs);
  }

  /** Ends the process: none of its tasks runs any more. */
  kill(): void {
    this.alive = false;
  }
}
