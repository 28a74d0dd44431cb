// A load of n keys over one client: many in flight and never more than a bound, each retried by the client on another
// peer while its deadline allows. Counts, times, and keeps the first message of each kind of error.

import type { Command } from '../../client/pending-request.js';
import type { ZabtreeClient } from '../../client/zabtree-client.js';
import type { ErrorCode } from '../../shared/errors.js';
import { LatencyHistogram } from '../bench/latency-histogram.js';

export interface KeyLoadOptions {
  readonly operation: 'add' | 'set';
  /** n > 1 sends key-0 … key-(n-1) with value-0 …; n = 1 sends both as they are. */
  readonly key: string;
  readonly value: string;
  readonly count: number;
  /** That holds the keys; undefined: none. */
  readonly lease: bigint | undefined;
  readonly timeoutMs: number;
}

export interface KeyLoadResult {
  /** Asked for. */
  readonly count: number;
  readonly done: number;
  readonly succeeded: number;
  readonly seconds: number;
  readonly latency: LatencyHistogram;
  readonly errors: ReadonlyMap<ErrorCode, { readonly times: number; readonly first: string }>;
}

const inFlightMax = 256;

export class KeyLoad {
  readonly #client: ZabtreeClient;
  readonly #options: KeyLoadOptions;
  readonly #progress: (done: number, errors: number) => void;
  readonly #latency = new LatencyHistogram();
  readonly #errors = new Map<ErrorCode, { times: number; readonly first: string }>();
  readonly #startedMs = performance.now();
  #next = 0;
  #inFlight = 0;
  #done = 0;
  #failed = 0;
  #stopped = false;
  #finish: ((result: KeyLoadResult) => void) | undefined;

  constructor(client: ZabtreeClient, options: KeyLoadOptions, progress: (done: number, errors: number) => void) {
    this.#client = client;
    this.#options = options;
    this.#progress = progress;
  }

  run(): Promise<KeyLoadResult> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#fill();
    });
  }

  /** Sends nothing more; what is in flight is still waited for. */
  stop(): void {
    this.#stopped = true;
  }

  #fill(): void {
    const { count } = this.#options;
    while (this.#inFlight < inFlightMax && this.#next < count && !this.#stopped) this.#send(this.#next++);
    if (this.#inFlight === 0) this.#end();
  }

  #send(index: number): void {
    const { operation, count, key, value, lease, timeoutMs } = this.#options;
    const suffix = count > 1 ? `-${index}` : '';
    const command: Command = {
      type: operation,
      key: Buffer.from(`${key}${suffix}`),
      value: Buffer.from(`${value}${suffix}`),
      ...(lease === undefined ? {} : { lease }),
    };
    const sentMs = performance.now();
    this.#inFlight++;
    this.#client.request({ type: 'command', command }, timeoutMs, (error) => {
      this.#inFlight--;
      this.#done++;
      if (error === null) this.#latency.record((performance.now() - sentMs) * 1000);
      else this.#count(error.code, error.message);
      this.#progress(this.#done, this.#failed);
      this.#fill();
    });
  }

  #count(code: ErrorCode, message: string): void {
    this.#failed++;
    const known = this.#errors.get(code);
    if (known === undefined) this.#errors.set(code, { times: 1, first: message });
    else known.times++;
  }

  #end(): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.({
      count: this.#options.count,
      done: this.#done,
      succeeded: this.#done - this.#failed,
      seconds: (performance.now() - this.#startedMs) / 1000,
      latency: this.#latency,
      errors: this.#errors,
    });
  }
}

export function loadSummary(result: KeyLoadResult): string {
  const failed = result.done - result.succeeded;
  const rate = Math.round(result.done / Math.max(result.seconds, 0.001));
  const percentile = (share: number): string =>
    result.succeeded === 0 ? '-' : `${(result.latency.percentile(share) / 1000).toFixed(1)} ms`;
  const done = result.done < result.count ? `stopped after ${result.done} of ${result.count}` : `${result.done}`;
  const lines = [
    `${done} requests in ${result.seconds.toFixed(2)} s: ${rate} per second, p50 ${percentile(0.5)}, p99 ${percentile(0.99)}, ${failed} errors`,
  ];
  for (const [code, { times, first }] of result.errors) {
    lines.push(times === 1 ? `1 × ${code}: ${first}` : `${times} × ${code}, the first: ${first}`);
  }
  return lines.join('\n');
}
