// Compares passwords with the bcrypt hashes that etcd makes of them, on a thread of its own, which is started for the first
// and ends when there were none for a while. Makes no hashes; how many wait is for the caller to bound.

import { Worker } from 'node:worker_threads';
import { threadSource } from '../shared/thread-source.js';

export interface BcryptQuestion {
  readonly id: number;
  readonly password: string;
  readonly hash: string;
}

export interface BcryptAnswer {
  readonly id: number;
  /** null: the hash is not one of bcrypt. */
  readonly matches: boolean | null;
}

/** null: it could not be found out. */
type Done = (matches: boolean | null) => void;

const entryPoint = new URL('./bcrypt-worker.js', import.meta.url);
const idleMs = 60_000;
/** Version, cost, salt and hash in bcrypt's own base 64. */
const form = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

/** Twice the work for each further one; undefined: it is no hash of bcrypt. */
export function bcryptCostOf(hash: string): number | undefined {
  const [, cost] = form.exec(hash) ?? [];
  return cost === undefined ? undefined : Number(cost);
}

export class BcryptThread {
  private readonly pending = new Map<number, Done>();
  private worker: Worker | null = null;
  private idle: NodeJS.Timeout | undefined;
  private nextId = 1;

  compare(password: string, hash: string, done: Done): void {
    clearTimeout(this.idle);
    const id = this.nextId++;
    this.pending.set(id, done);
    this.worker ??= this.start();
    const question: BcryptQuestion = { id, password, hash };
    this.worker.postMessage(question);
  }

  private start(): Worker {
    const thread = threadSource(entryPoint.href, import.meta.url);
    const worker = new Worker(thread.eval ? thread.source : new URL(thread.source), {
      eval: thread.eval,
      name: 'zabtree-bcrypt',
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    // A login that nobody waits for must not keep a process alive.
    worker.unref();
    worker.on('message', ({ id, matches }: BcryptAnswer) => this.answered(worker, id, matches));
    worker.on('error', () => this.ended(worker));
    worker.on('exit', () => this.ended(worker));
    return worker;
  }

  private answered(worker: Worker, id: number, matches: boolean | null): void {
    const done = this.pending.get(id);
    this.pending.delete(id);
    if (this.pending.size === 0) {
      this.idle = setTimeout(() => {
        this.worker = null;
        void worker.terminate();
      }, idleMs);
      this.idle.unref();
    }
    done?.(matches);
  }

  /** What it was asked and did not answer is not known; the next question starts another one. */
  private ended(worker: Worker): void {
    if (this.worker !== worker) return;
    this.worker = null;
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const done of waiting) done(null);
  }
}
