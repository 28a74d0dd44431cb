// Generates load on an ensemble and measures it. Closed loop: a fixed number of requests is always outstanding. Open
// loop: requests are due at a fixed rate, and a latency begins when the request was due, not when it could be sent, so
// that a stall counts for every request that it delayed. Never retries, except while it fills.

import { SeededRandom } from '../../shared/random.js';
import type { Target } from '../connection-options.js';
import { LatencyHistogram, type LatencySummary } from './latency-histogram.js';
import { LoadConnection, type LoadConnectionHandler } from './load-connection.js';
import type { TemplateOptions } from './request-template.js';

export interface LoadOptions {
  readonly target: Target;
  /** Spread over the peers. */
  readonly connections: number;
  /** Requests outstanding in all, at most. */
  readonly inFlight: number;
  readonly keyPrefix: string;
  readonly valueBytes: number;
  /** Keys are numbered 0..keys-1. */
  readonly keys: number;
  readonly order: 'sequential' | 'random';
  /** Share of reads, 0..1. */
  readonly readRatio: number;
  readonly localReads: boolean;
  readonly exactlyOnce: boolean;
  /** Open loop; undefined: closed loop. */
  readonly ratePerSecond: number | undefined;
  readonly warmupMs: number;
  readonly durationMs: number;
  /** Instead of the duration: write each key once, repeat what failed, and stop. */
  readonly fill: boolean;
  readonly timeoutMs: number;
  readonly seed: number;
  /** Called about once a second. */
  readonly progress?: (done: number, perSecond: number) => void;
}

export interface LoadResult {
  readonly seconds: number;
  /** Answered without an error inside the time measured. A read of a key that is absent counts. */
  readonly operations: number;
  readonly perSecond: number;
  readonly reads: LatencySummary;
  readonly writes: LatencySummary;
  /** Code, or DISCONNECTED, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** Longest time without a successful answer. */
  readonly longestGapMs: number;
  /** Open loop: requests that were due and could not be sent before the end. */
  readonly unsent: number;
}

const errorPauseMs = 10;
const reconnectMs = 20;
const connectPatienceMs = 5_000;
const progressMs = 1_000;

interface RestingSlot {
  readonly connection: LoadConnection;
  readonly slot: number;
  readonly until: number;
}

export class LoadRun {
  private readonly options: LoadOptions;
  private readonly handler: LoadConnectionHandler;
  private readonly random: SeededRandom;
  private readonly connections: (LoadConnection | undefined)[] = [];
  private readonly reads = new LatencyHistogram();
  private readonly writes = new LatencyHistogram();
  private readonly errors = new Map<string, number>();
  private readonly resting: RestingSlot[] = [];
  private readonly refused: number[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private resolve: (result: LoadResult) => void = () => undefined;
  private reject: (error: Error) => void = () => undefined;
  private issued = 0;
  private done = 0;
  private nextPeer = 0;
  private nextConnection = 0;
  private began = 0;
  private countFrom = 0;
  private lastSuccess = 0;
  private longestGap = 0;
  private lastFailure = '';
  private over = false;

  private constructor(options: LoadOptions) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
    this.handler = {
      ready: () => this.ready(),
      answered: (connection, slot, code) => this.answered(connection, slot, code),
      turnEnded: (connection) => this.issue(connection, performance.now()),
      closed: (connection, reason) => this.closed(connection, reason),
    };
  }

  /** Rejects when no peer can be reached. */
  static run(options: LoadOptions): Promise<LoadResult> {
    const run = new LoadRun(options);
    return new Promise((resolve, reject) => {
      run.resolve = resolve;
      run.reject = reject;
      run.start();
    });
  }

  private start(): void {
    const { connections, ratePerSecond } = this.options;
    for (let index = 0; index < connections; index++) this.open(index);
    this.after(connectPatienceMs, () => {
      if (this.began === 0) this.fail(new Error(`Cannot reach any peer: ${this.lastFailure || 'no answer'}`));
    });
    this.every(ratePerSecond === undefined ? errorPauseMs : 1, () => this.tick());
    this.every(1_000, () => this.dropStuck());
    if (this.options.progress !== undefined) this.every(progressMs, () => this.report());
  }

  private open(index: number): void {
    const { options } = this;
    const { peers, transport, credentials } = options.target;
    const peer = peers[this.nextPeer++ % peers.length];
    if (peer === undefined) throw new Error('Cannot generate load: no peer is given');
    const slots = Math.floor(options.inFlight / options.connections);
    const rest = options.inFlight % options.connections;
    const template = { keyPrefix: options.keyPrefix, valueBytes: options.valueBytes, timeoutMs: options.timeoutMs };
    const write: TemplateOptions = { kind: 'set', ...template };
    const read: TemplateOptions = { kind: options.localReads ? 'getLocal' : 'get', ...template };
    this.connections[index] = new LoadConnection(
      {
        peer,
        transport,
        credentials,
        slots: slots + (index < rest ? 1 : 0),
        write,
        read,
        exactlyOnce: options.exactlyOnce,
      },
      this.handler,
    );
  }

  /** Begins once every connection is open, or has failed once, so that slow connecting is not measured as load. */
  private ready(): void {
    if (this.began > 0) return;
    if (this.connections.some((connection) => connection !== undefined && !connection.isReady)) return;
    this.began = performance.now();
    this.countFrom = this.began + (this.options.fill ? 0 : this.options.warmupMs);
    this.lastSuccess = this.countFrom;
    if (!this.options.fill) this.after(this.options.warmupMs + this.options.durationMs, () => this.finish());
    this.issueAll();
  }

  private tick(): void {
    const now = performance.now();
    while (this.resting.length > 0 && (this.resting[0]?.until ?? 0) <= now) {
      const first = this.resting.shift();
      first?.connection.release(first.slot);
    }
    if (this.began > 0) this.issueAll();
  }

  /** Begins with another connection each time, or the first would get all that is due in an open loop. */
  private issueAll(): void {
    const now = performance.now();
    const count = this.connections.length;
    this.nextConnection = (this.nextConnection + 1) % count;
    for (let step = 0; step < count; step++) {
      const connection = this.connections[(this.nextConnection + step) % count];
      if (connection?.isReady === true) this.issue(connection, now);
    }
  }

  /** Fills the free slots of a connection with what is due. */
  private issue(connection: LoadConnection, now: number): void {
    if (this.over || this.began === 0) return;
    const { options } = this;
    while (connection.free.length > 0) {
      const refused = this.refused.pop();
      if (refused !== undefined) {
        connection.send(false, refused, this.issued, now);
        continue;
      }
      if (options.fill && this.issued >= options.keys) break;
      const due = options.ratePerSecond === undefined ? now : this.began + (this.issued * 1000) / options.ratePerSecond;
      if (due > now) break;
      const isRead = options.readRatio > 0 && !options.fill && this.random.next() < options.readRatio;
      const key = options.order === 'random' ? this.random.below(options.keys) : this.issued % options.keys;
      connection.send(isRead, key, this.issued, due);
      this.issued++;
    }
    connection.flush();
  }

  private answered(connection: LoadConnection, slot: number, code: string): void {
    const now = performance.now();
    const isRead = connection.isRead[slot] === 1;
    if (code === 'OK' || (isRead && code === 'KEY_NOT_FOUND')) {
      this.done++;
      if (now >= this.countFrom) this.succeeded(isRead, now, now - (connection.startedAt[slot] ?? now));
      connection.release(slot);
      if (this.options.fill && this.done >= this.options.keys) this.finish();
      return;
    }
    this.failed(connection, slot, code);
    connection.startedAt[slot] = Number.POSITIVE_INFINITY;
    this.resting.push({ connection, slot, until: now + errorPauseMs });
  }

  private succeeded(isRead: boolean, now: number, latencyMs: number): void {
    (isRead ? this.reads : this.writes).record(latencyMs * 1000);
    const gap = now - this.lastSuccess;
    if (gap > this.longestGap) this.longestGap = gap;
    this.lastSuccess = now;
  }

  private failed(connection: LoadConnection, slot: number, code: string): void {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    if (this.options.fill) this.refused.push(connection.keyNumber[slot] ?? 0);
  }

  private closed(connection: LoadConnection, reason: string): void {
    if (this.over) return;
    this.lastFailure = `${connection.peer}: ${reason}`;
    for (let slot = 1; slot < connection.startedAt.length; slot++) {
      const startedAt = connection.startedAt[slot] ?? 0;
      if (startedAt > 0 && startedAt !== Number.POSITIVE_INFINITY) this.failed(connection, slot, 'DISCONNECTED');
    }
    const index = this.connections.indexOf(connection);
    this.connections[index] = undefined;
    this.after(reconnectMs, () => this.open(index));
    if (this.connections.some((other) => other?.isReady === true)) this.ready();
  }

  private dropStuck(): void {
    const now = performance.now();
    for (const connection of this.connections) {
      if (connection?.isStuck(now, this.options.timeoutMs + 1_000) === true) connection.destroy();
    }
  }

  private report(): void {
    const seconds = (performance.now() - this.began) / 1000;
    if (this.began > 0) this.options.progress?.(this.done, this.done / seconds);
  }

  private finish(): void {
    if (this.over) return;
    const now = performance.now();
    const { options } = this;
    const seconds = options.fill ? (now - this.began) / 1000 : options.durationMs / 1000;
    const operations = this.reads.count + this.writes.count;
    const due = options.ratePerSecond === undefined ? 0 : ((now - this.began) * options.ratePerSecond) / 1000;
    this.stop();
    this.resolve({
      seconds,
      operations,
      perSecond: operations / seconds,
      reads: this.reads.summary(),
      writes: this.writes.summary(),
      errors: Object.fromEntries(this.errors),
      longestGapMs: Math.max(this.longestGap, now - this.lastSuccess),
      unsent: Math.max(0, Math.floor(due) - this.issued),
    });
  }

  private fail(error: Error): void {
    this.stop();
    this.reject(error);
  }

  private stop(): void {
    this.over = true;
    for (const timer of this.timers) clearTimeout(timer);
    for (const connection of this.connections) connection?.close();
  }

  private after(delayMs: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!this.over) task();
    }, delayMs);
    this.timers.add(timer);
  }

  private every(intervalMs: number, task: () => void): void {
    this.timers.add(setInterval(task, intervalMs));
  }
}
