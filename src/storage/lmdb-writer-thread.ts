// The main thread's end of the writer thread: starts it at the first request, sends requests, matches answers, turns its
// death into errors. Knows nothing of what the requests do.

import { statfsSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { type ErrorCode, errorCodes, StoreError } from '../shared/errors.js';
import { threadSource } from '../shared/thread-source.js';
import { isLmdbDamage } from './lmdb-tables.js';
import type { WriterAnswer, WriterFailure, WriterRequest, WriterSettings } from './lmdb-writer-messages.js';

type Unnumbered<T> = T extends unknown ? Omit<T, 'id'> : never;
export type AnswerDone = (error: Error | null, answer: WriterAnswer | null) => void;

export interface WriterFaults {
  damaged(error: Error): void;
  failed(error: Error): void;
}

interface Pending {
  readonly done: AnswerDone;
  /** Its failure says something about the disk; that of an image may be the sender's fault. */
  readonly judges: boolean;
}

const judgedRequests: ReadonlySet<WriterRequest['type']> = new Set([
  'flush',
  'compact',
  'digest',
  'hashVersions',
  'scrub',
]);

/** ENOSPC and EDQUOT, as LMDB's binding gives them. */
const fullDiskErrors = new Set(['28', '122', 'ENOSPC', 'EDQUOT']);
const ioError = '5';
/** With less than this free, an I/O error of a flush is taken for a full disk. */
const freeBytesMin = 64 * 2 ** 20;

const entryPoint = new URL('./lmdb-tree-worker.js', import.meta.url);

export class LmdbWriterThread {
  private readonly directory: string;
  private readonly faults: WriterFaults;
  /** A node that starts has nothing to write for a while, and its thread would take the processor from its start. */
  private worker: Worker | null = null;
  private readonly pending = new Map<number, Pending>();
  private nextId = 1;
  private dead: Error | null = null;
  private closing = false;

  constructor(directory: string, faults: WriterFaults) {
    this.directory = directory;
    this.faults = faults;
  }

  request(request: Unnumbered<WriterRequest>, done: AnswerDone, transfer: readonly ArrayBuffer[] = []): void {
    const { dead } = this;
    if (dead !== null) {
      setImmediate(() => done(this.lost(dead), null));
      return;
    }
    const id = this.nextId++;
    this.pending.set(id, { done, judges: judgedRequests.has(request.type) });
    this.worker ??= this.startWorker();
    this.worker.postMessage({ ...request, id }, transfer);
  }

  /** Waits for everything that was asked for, then ends the thread. */
  close(done: (error: Error | null) => void): void {
    // A dead one has been told of, and has nothing left to wait for.
    if (this.worker === null || this.dead !== null) {
      this.dead ??= new Error('it was closed');
      setImmediate(() => done(null));
    } else {
      this.closing = true;
      this.request({ type: 'close' }, (error) => done(error));
    }
  }

  private startWorker(): Worker {
    const settings: WriterSettings = { directory: this.directory };
    const thread = threadSource(entryPoint.href, import.meta.url);
    const worker = new Worker(thread.eval ? thread.source : new URL(thread.source), {
      eval: thread.eval,
      workerData: settings,
      name: 'zabtree-tree-writer',
      // Its own heap stays small: versions come in and go out as one buffer.
      resourceLimits: { maxYoungGenerationSizeMb: 8 },
    });
    worker.on('message', (answer: WriterAnswer) => this.answered(answer));
    worker.on('error', (error) => this.ended(error));
    worker.on('exit', () => this.ended(new Error('it has ended')));
    return worker;
  }

  private answered(answer: WriterAnswer): void {
    const pending = this.pending.get(answer.id);
    this.pending.delete(answer.id);
    if (pending === undefined) return;
    const error = answer.failure === null ? null : this.failure(answer.failure);
    if (error !== null && pending.judges) this.judge(error);
    pending.done(error, answer);
  }

  private ended(cause: Error): void {
    if (this.dead !== null) return;
    this.dead = cause;
    if (!this.closing) this.faults.failed(this.lost(cause));
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const { done } of waiting) done(this.lost(cause), null);
  }

  /** A full disk is waited for. Anything else leaves open what is on the disk, or says that it is damaged. */
  private judge(error: StoreError): void {
    if (error.code === 'CORRUPT') this.faults.damaged(error);
    else if (error.code !== 'NO_SPACE') this.faults.failed(error);
  }

  private lost(cause: Error): StoreError {
    return new StoreError('INTERNAL', `The writer thread of tree "${this.directory}" is gone: ${cause.message}`, {
      cause,
    });
  }

  private failure(failure: WriterFailure): StoreError {
    const cause = new Error(`${failure.code}: ${failure.message}`);
    if (this.isFull(failure)) {
      return new StoreError('NO_SPACE', `Cannot write tree "${this.directory}": the disk is full`, { cause });
    }
    const known = isLmdbDamage(failure.code) ? 'CORRUPT' : failure.code;
    const code = (errorCodes as readonly string[]).includes(known) ? (known as ErrorCode) : 'INTERNAL';
    return new StoreError(code, `Cannot use tree "${this.directory}": ${failure.message}`, { cause });
  }

  /** LMDB reports the system's error number, but a write that the full disk cut short as an I/O error. */
  private isFull(failure: WriterFailure): boolean {
    if (fullDiskErrors.has(failure.code)) return true;
    if (failure.code !== ioError) return false;
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize < freeBytesMin;
  }
}
