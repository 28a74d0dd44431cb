// Sends the same random requests to two servers of etcd's API, one request after the other to both at once, and compares
// every answer field by field, and what their watches tell. What may differ is said here, nowhere else.

import { isDeepStrictEqual } from 'node:util';
import { until } from '../../../src/cli/local-ensemble/until.js';
import { SeededRandom } from '../../../src/shared/random.js';
import type { Plain } from '../etcd-messages.js';
import type { Answer, GrpcEndpoint } from '../grpc-endpoint.js';
import { drawStep, type Standing, type Step } from './random-steps.js';
import { WatchLog } from './watch-log.js';

export interface Difference {
  /** Number of the step, from 0. */
  readonly at: number;
  readonly step: Step | 'watches';
  readonly expected: unknown;
  readonly found: unknown;
}

export interface DifferentialOptions {
  /** Whose word counts. */
  readonly reference: GrpcEndpoint;
  readonly subject: GrpcEndpoint;
  readonly seed: number;
  readonly steps: number;
  /** The run ends early after so many. */
  readonly differencesMax: number;
}

export interface DifferentialResult {
  readonly differences: readonly Difference[];
  readonly steps: number;
  /** Steps that both answered alike with an error, and events that both told alike: a run without them proves little. */
  readonly errors: number;
  readonly events: number;
}

const watchesEvery = 100;
/** A stream of watches is left for a new one when it has so many. */
const watchesPerStream = 60;
const quietMs = 10_000;

export async function runDifferential(options: DifferentialOptions): Promise<DifferentialResult> {
  const run = new DifferentialRun(options);
  try {
    return await run.run();
  } finally {
    run.close();
  }
}

class DifferentialRun {
  private readonly options: DifferentialOptions;
  private readonly random: SeededRandom;
  private readonly differences: Difference[] = [];
  private standing: Standing = { revision: 1, compacted: 0 };
  private logs: readonly [WatchLog, WatchLog];
  private opened = 0;
  /** A watch of this stream does. */
  private beginsInThePast = false;
  private errors = 0;
  private events = 0;

  constructor(options: DifferentialOptions) {
    this.options = options;
    this.random = new SeededRandom(options.seed);
    this.logs = this.openLogs();
  }

  async run(): Promise<DifferentialResult> {
    const { steps, differencesMax } = this.options;
    let at = 0;
    for (; at < steps && this.differences.length < differencesMax; at++) {
      const step = drawStep(this.random, this.standing);
      const isCompaction = step.type === 'call' && step.path.endsWith('/Compact');
      if (isCompaction) await this.beforeCompaction(at);
      else if (at % watchesEvery === 0) await this.compareWatches(at);
      await this.take(at, step);
    }
    await this.compareWatches(at);
    this.countEvents();
    return { differences: this.differences, steps: at, errors: this.errors, events: this.events };
  }

  close(): void {
    for (const log of this.logs) log.close();
  }

  private openLogs(): readonly [WatchLog, WatchLog] {
    const { reference, subject } = this.options;
    return [new WatchLog(reference), new WatchLog(subject)];
  }

  private async take(at: number, step: Step): Promise<void> {
    switch (step.type) {
      case 'call':
        await this.call(at, step);
        return;
      case 'watch':
        await this.watch(at, step.request);
        return;
      case 'cancelWatch':
        // What is on its way to a watch that is being cancelled may come or not.
        await this.compareWatches(at);
        // etcd remembers a watch that it cancelled for compaction, and says so again; here it is gone (docs/reference/etcd.md).
        if (this.logs[0].isCompacted(String(step.id))) return;
        for (const log of this.logs) log.cancel(step.id);
        await this.compareWatches(at);
        return;
    }
  }

  private async call(at: number, step: Extract<Step, { type: 'call' }>): Promise<void> {
    const { reference, subject } = this.options;
    const ask = async (server: GrpcEndpoint): Promise<Answer> => comparable(await server.call(step.path, step.request));
    const [expected, found] = await Promise.all([ask(reference), ask(subject)]);
    if (!isDeepStrictEqual(expected, found)) this.differences.push({ at, step, expected, found });
    if (expected.type === 'error') {
      this.errors += 1;
      return;
    }
    const revision = Number((expected.message['header'] as { readonly revision?: string } | undefined)?.revision ?? 0);
    const compacted = step.path.endsWith('/Compact') ? Number(step.request['revision']) : this.standing.compacted;
    this.standing = { revision: Math.max(this.standing.revision, revision), compacted };
  }

  /**
   * A watch that begins in the past and has not caught up when its revisions are compacted may be told either. etcd catches
   * up now and then and does not say when it has, so such watches are left before.
   */
  private async beforeCompaction(at: number): Promise<void> {
    if (this.beginsInThePast) await this.renewWatches(at);
    else await this.compareWatches(at);
  }

  private async renewWatches(at: number): Promise<void> {
    await this.compareWatches(at);
    this.countEvents();
    this.close();
    this.logs = this.openLogs();
    this.opened = 0;
    this.beginsInThePast = false;
  }

  private async watch(at: number, request: Plain): Promise<void> {
    if (this.opened >= watchesPerStream) await this.renewWatches(at);
    this.opened += 1;
    const start = Number(request['start_revision'] ?? 0);
    if (start > 0 && start <= this.standing.revision) this.beginsInThePast = true;
    const id = request['watch_id'];
    const taken = typeof id === 'string' && this.logs[0].isCompacted(id);
    for (const log of this.logs) log.create(taken ? { ...request, watch_id: '0' } : request);
    await until('the answer to a watch', { timeoutMs: quietMs, everyMs: 1 }, () =>
      this.logs.every((log) => log.answered === this.opened) ? true : undefined,
    );
  }

  /** Waits until both have told the same, for a while. */
  private async compareWatches(at: number): Promise<void> {
    const contents = (): readonly unknown[] => this.logs.map((log) => log.content());
    try {
      await until('the same events from both', { timeoutMs: quietMs, everyMs: 2 }, () => {
        const [expected, found] = contents();
        return isDeepStrictEqual(expected, found) ? true : undefined;
      });
    } catch {
      const [expected, found] = this.logs.map((log) => log.content());
      for (const id of new Set([...Object.keys(expected ?? {}), ...Object.keys(found ?? {})])) {
        if (isDeepStrictEqual(expected?.[id], found?.[id])) continue;
        this.differences.push({ at, step: 'watches', expected: { id, told: expected?.[id] }, found: found?.[id] });
      }
      // Both begin anew: the difference is told once.
      this.close();
      this.logs = this.openLogs();
      this.opened = 0;
      this.beginsInThePast = false;
    }
  }

  private countEvents(): void {
    for (const list of Object.values(this.logs[0].content())) {
      this.events += list.filter((entry) => entry['kv'] !== undefined).length;
    }
  }
}

/** An answer without what every server has of its own: ids in the header, the term; and the seconds that have passed. */
function comparable(answer: Answer): Answer {
  if (answer.type === 'error') return answer;
  const message: { [field: string]: unknown } = { ...answer.message };
  const header = message['header'] as { readonly revision?: string } | undefined;
  if (header !== undefined) message['header'] = { revision: header.revision };
  // A nested transaction's answer has a header too, which etcd leaves empty but for the revision.
  if (Array.isArray(message['leases'])) message['leases'] = [...message['leases']].sort(byText);
  if (Array.isArray(message['keys'])) message['keys'] = [...message['keys']].sort();
  if (message['grantedTTL'] !== undefined && Number(message['TTL']) > 0) message['TTL'] = 'some';
  return { type: 'response', message };
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}
