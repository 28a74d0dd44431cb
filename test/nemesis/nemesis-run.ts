// One nemesis run from beginning to end: sets up network, disk and nodes, lets clients and watchers work while faults are
// carried out, heals everything, demands that all nodes serve alike again, and has the history judged. Leaves nothing
// behind but, after a failure or when asked to, the directory with configurations, logs, data and history.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onDeadlySignal } from '../../src/cli/local-ensemble/on-deadly-signal.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { SeededRandom } from '../../src/shared/random.js';
import { ClientHistory, type ClientOperation, type WriteNumber } from '../../src/simulator/client-history.js';
import { Chronicle, type Gap, seconds } from './chronicle.js';
import { describeFault, drawPlan, type FaultKind } from './fault-plan.js';
import { FaultPlayer } from './fault-player.js';
import { type Count, type JudgedRun, judge, type LocalRead, type Violation } from './judge.js';
import { NamespaceNetwork } from './namespace-network.js';
import { NemesisClient, writeOf } from './nemesis-client.js';
import { NemesisEnsemble, patienceMs } from './nemesis-ensemble.js';
import type { NemesisNetwork } from './nemesis-network.js';
import { NemesisWatcher } from './nemesis-watcher.js';
import { ProxyNetwork } from './proxy-network.js';
import { SmallDisk } from './small-disk.js';

export interface NemesisOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly faultsMs: number;
  /** undefined: namespaces where the machine allows them, otherwise the proxy. */
  readonly network: 'namespaces' | 'proxy' | undefined;
  /** Only these kinds of faults; undefined: all. */
  readonly only?: readonly FaultKind[] | undefined;
  readonly keep: boolean;
  readonly print: (line: string) => void;
}

export interface NemesisReport {
  readonly seed: number;
  readonly network: 'namespaces' | 'proxy';
  readonly faultsMs: number;
  /** `kind outcome` -> how many. */
  readonly operations: ReadonlyMap<string, number>;
  /** Why requests were refused -> how many. */
  readonly refusals: ReadonlyMap<string, number>;
  readonly faults: ReadonlyMap<string, number>;
  readonly epochs: number;
  readonly changes: number;
  readonly keys: number;
  /** The longest time without an acknowledged write, whatever its cause. */
  readonly longestGap: Gap | undefined;
  /** The longest such times during which a quorum was up and connected. */
  readonly gaps: readonly Gap[];
  readonly judgedMs: number;
  /** What broke a promise. */
  readonly violations: readonly Violation[];
  /** Where it is kept. */
  readonly directory: string | null;
}

const clientCount = 8;
const watcherCount = 3;
const prefix = 'n/';
const sharedKeys = 5;
/** After so long other keys are used, so that the search for an order stays small. */
const keysLastMs = 3_000;
const smallDiskBytes = 512 * 2 ** 20;
const gapsTold = 8;

export async function runNemesis(options: NemesisOptions): Promise<NemesisReport> {
  const directory = mkdtempSync(join(tmpdir(), 'zabtree-nemesis-'));
  const run = new NemesisRun(options, directory);
  const dying = (): void => {
    run.clearUp();
    process.stderr.write(`Configurations, logs and data are kept in ${directory}\n`);
  };
  const stopHandlingSignals = onDeadlySignal(dying);
  process.on('exit', run.clearUp);
  let finished = false;
  try {
    const report = await run.run();
    finished = report.violations.length === 0;
    return { ...report, directory: finished && !options.keep ? null : directory };
  } finally {
    const kept = options.keep || !finished;
    await run.close(kept);
    stopHandlingSignals();
    process.removeListener('exit', run.clearUp);
    if (kept) options.print(`Configurations, logs, data and history are kept in ${directory}`);
    else rmSync(directory, { recursive: true, force: true });
  }
}

class NemesisRun {
  private readonly options: NemesisOptions;
  private readonly directory: string;
  private readonly chronicle: Chronicle;
  private readonly history = new ClientHistory();
  private readonly findings: Violation[] = [];
  private readonly refusals = new Map<string, number>();
  private readonly clients: NemesisClient[] = [];
  private readonly watchers: NemesisWatcher[] = [];
  private readonly usedKeys = new Set<string>();
  private network: NemesisNetwork | undefined;
  private smallDisk: SmallDisk | null = null;
  private ensemble: NemesisEnsemble | undefined;

  constructor(options: NemesisOptions, directory: string) {
    this.options = options;
    this.directory = directory;
    this.chronicle = new Chronicle(options.print);
  }

  async run(): Promise<Omit<NemesisReport, 'directory'>> {
    const { seed, nodes, faultsMs, only, print } = this.options;
    const network = await this.openNetwork();
    this.openDisk();
    print(`Seed ${seed}: ${nodes} nodes, network by ${network.kind}, everything is in ${this.directory}`);
    if (network.cannotDegrade !== null) print(`No packets are lost or delayed here: ${network.cannotDegrade}`);
    const steps = drawPlan({ seed, nodes, durationMs: faultsMs, only });
    print(`${steps.length} faults in ${seconds(faultsMs)}:`);
    for (const step of steps)
      print(`  at ${seconds(step.atMs)} for ${seconds(step.durationMs)}: ${describeFault(step)}`);
    const { chronicle } = this;
    const onFinding = (text: string): void => this.find(text);
    const ensemble = new NemesisEnsemble({
      directory: this.directory,
      network,
      smallDisk: this.smallDisk,
      chronicle,
      onFinding,
    });
    this.ensemble = ensemble;
    await Promise.all(ensemble.nodes.map((_, node) => ensemble.start(node)));
    const { status: first } = await ensemble.view.leadership(patienceMs);
    chronicle.note(`node ${first.id} leads in epoch ${first.epoch}`);
    const working = this.openClients(ensemble, first.revision);
    const player = new FaultPlayer({ ensemble, network, chronicle, onFinding });
    await player.play(steps, performance.now());
    chronicle.note('the faults are over');
    const last = await this.heal(ensemble);
    for (const client of this.clients) client.stop();
    await Promise.all(working);
    const judged = await this.finish(ensemble, first.revision);
    const judgedAt = performance.now();
    chronicle.note(`judging ${judged.operations.length} operations`);
    const violations = [...judge(judged), ...this.findings];
    return {
      seed,
      network: network.kind,
      faultsMs,
      operations: countOperations(judged),
      refusals: this.refusals,
      faults: player.counts,
      epochs: last.epoch,
      changes: judged.watchers[0]?.length ?? 0,
      keys: this.usedKeys.size,
      longestGap: chronicle.longestGap(),
      gaps: chronicle.longestGaps(gapsTold),
      judgedMs: performance.now() - judgedAt,
      violations,
    };
  }

  /** `keeps`: with the history and what lies on the small disk. */
  async close(keeps: boolean): Promise<void> {
    await this.ensemble?.close();
    if (keeps) {
      this.record();
      this.smallDisk?.save(join(this.directory, 'node1-data'));
    }
    this.clearUp();
  }

  /** Synchronous and repeatable: also for a process that dies. */
  readonly clearUp = (): void => {
    for (const client of this.clients) client.close();
    for (const watcher of this.watchers) watcher.close();
    this.ensemble?.killNow();
    this.ensemble?.view.close();
    this.network?.close();
    this.smallDisk?.unmount();
  };

  private async openNetwork(): Promise<NemesisNetwork> {
    const { network, nodes, seed, print } = this.options;
    if (network !== 'proxy') {
      try {
        this.network = NamespaceNetwork.create(nodes);
        return this.network;
      } catch (error) {
        if (network === 'namespaces') throw error;
        print(`No network namespaces here: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.network = await ProxyNetwork.create(nodes, seed);
    return this.network;
  }

  private openDisk(): void {
    const { print } = this.options;
    try {
      this.smallDisk = SmallDisk.mount(this.directory, smallDiskBytes);
      print(`The data of node1 is on a small disk: ${this.smallDisk.kind}, ${smallDiskBytes / 2 ** 20} MiB`);
    } catch (error) {
      print(`No disk is filled here: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private openClients(ensemble: NemesisEnsemble, emptyRevision: number): Promise<void>[] {
    const peers = ensemble.requestAddresses;
    const onFinding = (text: string): void => this.find(text);
    for (let watcher = 0; watcher < watcherCount; watcher++) {
      const options = { peers: turned(peers, watcher), prefix, fromRevision: emptyRevision + 1, onFinding };
      this.watchers.push(new NemesisWatcher(options));
    }
    for (let number = 1; number <= clientCount; number++) {
      const client = new NemesisClient({
        number,
        peers: turned(peers, number),
        random: new SeededRandom(this.options.seed * 1_000 + number),
        history: this.history,
        keys: () => this.sharedKeysNow(),
        counterPrefix: `${prefix}counter/${number}/`,
        onAcknowledged: () => this.chronicle.acknowledged(),
        onRefused: (code) => this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1),
        onFinding,
      });
      this.clients.push(client);
    }
    return this.clients.map((client) => client.run().catch((error: Error) => this.find(`a client: ${error.stack}`)));
  }

  private sharedKeysNow(): string[] {
    const era = Math.floor(this.chronicle.nowMs / keysLastMs);
    const keys = Array.from({ length: sharedKeys }, (_, index) => `${prefix}shared/${era}/${index}`);
    for (const key of keys) this.usedKeys.add(key);
    return keys;
  }

  /** Every fault is undone: all nodes must serve under one leader within the time. */
  private async heal(ensemble: NemesisEnsemble): Promise<{ readonly epoch: number }> {
    const beganMs = performance.now();
    const { status } = await ensemble.view.leadership(patienceMs);
    this.chronicle.note(`all nodes serve again after ${Math.round(performance.now() - beganMs)} ms`);
    const written = this.history.operations.length;
    await until('further operations after the faults', { timeoutMs: patienceMs }, () => {
      const more = this.history.operations.slice(written);
      return more.filter(({ outcome, kind }) => outcome === 'ok' && kind !== 'read').length > 100 || undefined;
    });
    return status;
  }

  /** Final reads, and what nodes and watchers have in the end. */
  private async finish(ensemble: NemesisEnsemble, emptyRevision: number): Promise<JudgedRun> {
    const counters = new Map<string, Count>(this.clients.flatMap((client) => [...client.counters]));
    const [reader] = this.clients;
    for (const key of [...this.usedKeys, ...counters.keys()]) await reader?.read(key);
    await ensemble.view.caughtUp(patienceMs);
    await ensemble.view.commonDigest(patienceMs);
    const status = await ensemble.view.status(0);
    await until(
      'every watcher at the last revision',
      { timeoutMs: patienceMs },
      () => this.watchers.every((watcher) => watcher.lastRevision >= (status?.revision ?? 0)) || undefined,
    );
    const nodes: Map<string, WriteNumber>[] = [];
    for (const node of ensemble.nodes.keys()) {
      const records = await ensemble.view.records(node, prefix);
      nodes.push(new Map([...records].map(([key, value]) => [key, writeOf(value)])));
    }
    return {
      operations: this.history.operations,
      localReads: this.localReads,
      emptyRevision,
      watchers: this.watchers.map(({ changes }) => changes),
      nodes,
      counters,
    };
  }

  private find(text: string): void {
    this.chronicle.note(`FOUND: ${text}`);
    this.findings.push({ property: 'nodes and clients behave', detail: text });
  }

  private record(): void {
    const write = (name: string, values: readonly object[]): void =>
      writeFileSync(join(this.directory, name), values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    write('history.jsonl', this.history.operations);
    write('local-reads.jsonl', this.localReads);
    for (const [index, { changes }] of this.watchers.entries()) write(`changes-${index + 1}.jsonl`, changes);
  }

  private get localReads(): LocalRead[] {
    return this.clients.flatMap((client) => client.localReads);
  }
}

function turned<T>(list: readonly T[], by: number): T[] {
  return list.map((_, index) => list[(index + by) % list.length] as T);
}

function countOperations({ operations, localReads }: JudgedRun): Map<string, number> {
  const counts = new Map<string, number>([['local read ok', localReads.length]]);
  for (const { kind, outcome } of operations) {
    const name: `${ClientOperation['kind']} ${ClientOperation['outcome']}` = `${kind} ${outcome}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
