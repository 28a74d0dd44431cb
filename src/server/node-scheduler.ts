// The real clock and event loop behind the Scheduler port. Tasks deferred in one turn share one setImmediate, which runs
// after every socket that was readable in this turn has been read.

import { performance } from 'node:perf_hooks';
import type { Scheduler } from '../ensemble/ports.js';

export class NodeScheduler implements Scheduler {
  private tasks: (() => void)[] = [];
  private scheduled = false;
  private readonly runTasks = (): void => {
    this.scheduled = false;
    const { tasks } = this;
    this.tasks = [];
    for (const task of tasks) task();
  };

  nowMs(): number {
    return performance.now();
  }

  defer(task: () => void): void {
    this.tasks.push(task);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.runTasks);
  }

  every(intervalMs: number, task: () => void): () => void {
    const timer = setInterval(task, intervalMs);
    return () => clearInterval(timer);
  }

  after(delayMs: number, task: () => void): () => void {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  }
}
