// A commit log in a temporary directory of its own, with promises around its callbacks, for tests. It never hides an
// error: a failed log fails the test that waits for it.

import { cpSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { toEpoch, type Zxid, zxidOf, zxidZero } from '../../src/shared/ids.js';
import { allocateLog, baseLog, type CommitLogOptions, FileCommitLog } from '../../src/storage/commit-log.js';
import { nodeRuntime } from '../../src/storage/node-runtime.js';
import type { Batch } from '../../src/zab/messages.js';

export function zxid(epoch: number, counter: number): Zxid {
  return zxidOf(toEpoch(epoch), counter);
}

/** A batch of `entries` entries whose body tells it apart from all others. */
export function batchOf(
  epoch: number,
  counter: number,
  options: { readonly entries?: number; readonly bytes?: number } = {},
): Batch {
  const body = Buffer.alloc(options.bytes ?? 20, `${epoch}.${counter};`);
  return {
    first: zxid(epoch, counter),
    last: zxid(epoch, counter + (options.entries ?? 1) - 1),
    body: new Uint8Array(body),
  };
}

export async function temporaryDirectory(): Promise<string> {
  return mkdtemp(path.join(os.tmpdir(), 'zabtree-storage-'));
}

interface Waiter {
  readonly met: () => boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class LogHarness {
  readonly root: string;
  readonly segmentBytes: number;
  /** Every zxid that was reported durable, and every report of pressure, in order. */
  readonly durableReports: Zxid[] = [];
  readonly pressureReports: boolean[] = [];
  readonly failures: Error[] = [];
  private opened: FileCommitLog | null = null;
  private waiters: Waiter[] = [];

  static async create(
    options: { readonly segmentBytes?: number; readonly base?: Zxid; readonly root?: string } = {},
  ): Promise<LogHarness> {
    const harness = new LogHarness(options.root ?? (await temporaryDirectory()), options.segmentBytes ?? 8192);
    await baseLog(nodeRuntime, await allocateLog(harness.directory, harness.options), options.base ?? zxidZero);
    await harness.open();
    return harness;
  }

  constructor(root: string, segmentBytes: number) {
    this.root = root;
    this.segmentBytes = segmentBytes;
  }

  get directory(): string {
    return path.join(this.root, 'log');
  }

  private get options(): CommitLogOptions {
    return { runtime: nodeRuntime, segmentBytes: this.segmentBytes, fullDiskRetryMs: 10 };
  }

  get log(): FileCommitLog {
    if (this.opened === null) throw new Error('the log is not open');
    return this.opened;
  }

  async open(): Promise<FileCommitLog> {
    const log = await FileCommitLog.open(this.directory, this.options);
    this.opened = log;
    log.start({
      durable: (through) => {
        this.durableReports.push(through);
        this.check();
      },
      pressure: (full) => {
        this.pressureReports.push(full);
        this.check();
      },
      failed: (error) => {
        this.failures.push(error);
        this.check();
      },
    });
    return log;
  }

  async close(): Promise<void> {
    const log = this.log;
    this.opened = null;
    await new Promise<void>((resolve) => log.close(resolve));
  }

  async reopen(): Promise<FileCommitLog> {
    await this.close();
    return this.open();
  }

  async remove(): Promise<void> {
    if (this.opened !== null) await this.close();
    await rm(this.root, { recursive: true, force: true });
  }

  /** A copy of the directory as it is now: what a crash at this moment would leave. Not opened. */
  async snapshot(): Promise<LogHarness> {
    const copy = new LogHarness(await temporaryDirectory(), this.segmentBytes);
    // In one turn of the event loop: no write can begin between two files.
    cpSync(this.directory, copy.directory, { recursive: true });
    return copy;
  }

  /** Appends and waits until it is durable. */
  async append(...batches: readonly Batch[]): Promise<void> {
    for (const batch of batches) this.log.append(batch);
    await this.durable(this.log.last);
  }

  durable(through: Zxid): Promise<void> {
    return this.until(() => this.log.durable >= through);
  }

  /** Resolves when the condition holds after some callback of the log; rejects when the log has failed. */
  until(met: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ met, resolve, reject });
      this.check();
    });
  }

  truncate(to: Zxid): Promise<void> {
    return new Promise((resolve) => this.log.truncate(to, resolve));
  }

  read(after: Zxid, bytesMax: number): Promise<readonly Batch[]> {
    return new Promise((resolve, reject) => {
      this.log.read(after, bytesMax, (error, batches) => (error === null ? resolve(batches) : reject(error)));
    });
  }

  async readAll(after: Zxid = this.log.base, bytesMax = 1000): Promise<Batch[]> {
    const all: Batch[] = [];
    for (let from = after; from < this.log.last; ) {
      const batches = await this.read(from, bytesMax);
      const last = batches.at(-1);
      if (last === undefined) throw new Error(`nothing after ${from}, expected entries up to ${this.log.last}`);
      all.push(...batches);
      from = last.last;
    }
    return all;
  }

  private check(): void {
    const [failure] = this.failures;
    const waiting = this.waiters;
    this.waiters = [];
    for (const waiter of waiting) {
      if (waiter.met()) waiter.resolve();
      else if (failure !== undefined) waiter.reject(failure);
      else this.waiters.push(waiter);
    }
  }
}

/** What two lists of batches have in common for a test: zxids and bodies. */
export function describeBatches(batches: readonly Batch[]): string[] {
  return batches.map((batch) => `${batch.first}..${batch.last} ${Buffer.from(batch.body).toString('base64')}`);
}
