// Three nodes of zabtree, loaded by `zabtree bench`.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EnsembleView } from '../../src/cli/local-ensemble/ensemble-view.js';
import { LocalEnsemble, zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { tcpTransport } from '../../src/client/tcp-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import { runCommand } from './run-command.js';
import { type Measured, type Subject, valueBytes, type Workload } from './subject.js';

interface BenchOutput {
  readonly result: {
    readonly perSecond: number;
    readonly longestGapMs: number;
    readonly reads: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number };
    readonly writes: { readonly count: number; readonly p50Ms: number; readonly p99Ms: number };
    readonly errors: Readonly<Record<string, number>>;
  };
}

const patienceMs = 120_000;

export class ZabtreeSubject implements Subject {
  readonly name = 'zabtree';
  private ensemble: LocalEnsemble | undefined;
  private view: EnsembleView | undefined;

  async startFresh(): Promise<void> {
    await this.close();
    const directory = mkdtempSync(join(tmpdir(), 'zabtree-bench-'));
    const onDeath = (): void => rmSync(directory, { recursive: true, force: true });
    this.ensemble = await LocalEnsemble.create({ nodes: 3, directory, onDeath });
    this.view = new EnsembleView(this.ensemble.requestAddresses);
    await this.ensemble.start();
    await this.view.leadership(patienceMs);
  }

  async restart(): Promise<number> {
    const { ensemble, view } = this.running();
    const began = performance.now();
    await ensemble.start();
    await until('an answer', { timeoutMs: patienceMs, everyMs: 5 }, () =>
      this.withClient(async (client) => (await client.get('bench/restart', { timeoutMs: 500 })).zxid),
    );
    const elapsedMs = performance.now() - began;
    await view.leadership(patienceMs);
    return elapsedMs;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.running().ensemble.nodes.map((node) => node.kill()));
  }

  async fill(prefix: string, keys: number): Promise<void> {
    await this.bench([
      '--prefix',
      prefix,
      '--preload',
      String(keys),
      '--warmup',
      '0',
      '--duration',
      '0.1',
      '--local',
      '--read-ratio',
      '1',
    ]);
    await this.running().view.caughtUp(patienceMs);
  }

  async load(workload: Workload): Promise<Measured> {
    const { result } = await this.bench(
      [
        ['--prefix', workload.prefix, '--in-flight', String(workload.inFlight)],
        ['--warmup', String(workload.warmupSeconds), '--duration', String(workload.durationSeconds)],
        ['--timeout', `${workload.timeoutMs}ms`],
        workload.keys === undefined ? [] : ['--keys', String(workload.keys)],
        workload.order === 'random' ? ['--random'] : [],
        workload.operation === 'getLocal' ? ['--read-ratio', '1', '--local'] : [],
      ].flat(),
      workload.nodes,
    );
    const latency = workload.operation === 'put' ? result.writes : result.reads;
    return {
      perSecond: result.perSecond,
      p50Ms: latency.p50Ms,
      p99Ms: latency.p99Ms,
      longestGapMs: result.longestGapMs,
      errors: Object.values(result.errors).reduce((sum, times) => sum + times, 0),
    };
  }

  async compact(): Promise<void> {
    const { view } = this.running();
    const revision = (await view.status(0))?.revision ?? 0;
    await this.withClient((client) => client.compact(revision, { timeoutMs: patienceMs }));
    // Compaction goes on in the background; a digest flushes and reads everything, after which little of it is left.
    await view.commonDigest(patienceMs);
  }

  async leader(): Promise<number> {
    return (await this.running().view.leadership(patienceMs)).leader;
  }

  async kill(node: number): Promise<void> {
    await this.running().ensemble.node(node).kill();
  }

  /** Client addresses of all nodes. */
  endpoints(): readonly string[] {
    return this.running().ensemble.requestAddresses;
  }

  pids(): readonly number[] {
    return this.running().ensemble.nodes.flatMap((node) => (node.running ? (node.process?.pid ?? []) : []));
  }

  dataDirectories(): readonly string[] {
    return this.running().ensemble.nodes.map((node) => node.dataDirectory);
  }

  async close(): Promise<void> {
    this.view?.close();
    await this.ensemble?.close();
    if (this.ensemble !== undefined) rmSync(this.ensemble.directory, { recursive: true, force: true });
    this.ensemble = undefined;
  }

  private async bench(args: readonly string[], nodes?: readonly number[]): Promise<BenchOutput> {
    const { ensemble } = this.running();
    const chosen = nodes ?? ensemble.nodes.map((_, index) => index);
    const peers = chosen.flatMap((node) => ['--peer', ensemble.node(node).addresses.RequestAddr]);
    const common = ['--value-size', String(valueBytes), '-o', 'json'];
    const output = await runCommand(process.execPath, [zabtreeExecutable, 'bench', ...peers, ...common, ...args]);
    return JSON.parse(output) as BenchOutput;
  }

  private async withClient<T>(work: (client: ZabtreeClient) => Promise<T>): Promise<T> {
    const client = new ZabtreeClient({ peers: this.running().ensemble.requestAddresses, transport: tcpTransport });
    try {
      return await work(client);
    } finally {
      client.close();
    }
  }

  private running(): { readonly ensemble: LocalEnsemble; readonly view: EnsembleView } {
    if (this.ensemble === undefined || this.view === undefined) throw new Error('zabtree is not started');
    return { ensemble: this.ensemble, view: this.view };
  }
}
