// Three nodes of etcd as Debian packages it, with its own defaults except for the size that it may grow to.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { onDeadlySignal } from '../../src/cli/local-ensemble/on-deadly-signal.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import type { EtcdLoadGenerator } from './etcd-load-generator.js';
import { runCommand } from './run-command.js';
import type { Measured, Subject, Workload } from './subject.js';

interface EtcdNode {
  readonly name: string;
  readonly directory: string;
  readonly client: string;
  readonly peer: string;
  process: ChildProcess | undefined;
}

interface EndpointStatus {
  readonly Endpoint: string;
  readonly Status: {
    readonly header: { readonly member_id: number; readonly revision: number };
    readonly leader: number;
  };
}

const patienceMs = 120_000;
const quotaBytes = 8 * 2 ** 30;

export class EtcdSubject implements Subject {
  readonly name = 'etcd';
  private readonly generator: EtcdLoadGenerator;
  private nodes: readonly EtcdNode[] = [];
  private directory: string | undefined;
  private readonly killNow = (): void => {
    for (const node of this.nodes) node.process?.kill('SIGKILL');
  };

  constructor(generator: EtcdLoadGenerator) {
    this.generator = generator;
    process.on('exit', this.killNow);
    onDeadlySignal(() => {
      this.killNow();
      if (this.directory !== undefined) rmSync(this.directory, { recursive: true, force: true });
    });
  }

  async startFresh(): Promise<void> {
    await this.close();
    const directory = mkdtempSync(join(tmpdir(), 'zabtree-bench-etcd-'));
    this.directory = directory;
    const ports = await freePorts(6);
    this.nodes = [0, 1, 2].map((index) => ({
      name: `n${index + 1}`,
      directory: join(directory, `n${index + 1}`),
      client: `127.0.0.1:${ports[index * 2]}`,
      peer: `127.0.0.1:${ports[index * 2 + 1]}`,
      process: undefined,
    }));
    await this.restart();
  }

  async restart(): Promise<number> {
    const began = performance.now();
    for (const node of this.nodes) if (node.process === undefined) this.spawn(node);
    await until('an answer of etcd', { timeoutMs: patienceMs, everyMs: 5 }, () =>
      this.etcdctl(['--command-timeout', '500ms', 'get', 'bench/restart']),
    );
    const elapsedMs = performance.now() - began;
    await this.leader();
    return elapsedMs;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.nodes.map((_, index) => this.kill(index)));
  }

  async fill(prefix: string, keys: number): Promise<void> {
    if (this.generator.fill === undefined) throw new Error(`Cannot fill etcd with ${this.generator.name}`);
    await this.generator.fill(prefix, keys, this.endpoints());
  }

  load(workload: Workload): Promise<Measured> {
    const endpoints = (workload.nodes ?? [0, 1, 2]).flatMap((node) => this.nodes[node]?.client ?? []);
    return this.generator.load(workload, endpoints);
  }

  async compact(): Promise<void> {
    const revision = (await this.status())[0]?.Status.header.revision ?? 0;
    await this.etcdctl(['--command-timeout', '120s', 'compact', '--physical', String(revision)]);
    await this.etcdctl(['--command-timeout', '120s', 'defrag']);
  }

  async leader(): Promise<number> {
    return await until('a leader of etcd', { timeoutMs: patienceMs, everyMs: 100 }, async () => {
      const answers = await this.status();
      const leader = answers.find(({ Status }) => Status.leader === Status.header.member_id);
      if (answers.length < this.nodes.length || leader === undefined) return undefined;
      return this.nodes.findIndex((node) => node.client === leader.Endpoint);
    });
  }

  async kill(index: number): Promise<void> {
    const node = this.nodes[index];
    const child = node?.process;
    if (node === undefined || child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
    node.process = undefined;
  }

  pids(): readonly number[] {
    return this.nodes.flatMap((node) => node.process?.pid ?? []);
  }

  dataDirectories(): readonly string[] {
    return this.nodes.map((node) => node.directory);
  }

  async close(): Promise<void> {
    await this.killAll();
    if (this.directory !== undefined) rmSync(this.directory, { recursive: true, force: true });
    this.directory = undefined;
    this.nodes = [];
  }

  /** Client addresses of all nodes. */
  endpoints(): readonly string[] {
    return this.nodes.map((node) => node.client);
  }

  private spawn(node: EtcdNode): void {
    mkdirSync(node.directory, { recursive: true });
    const output = openSync(`${node.directory}.log`, 'a');
    node.process = spawn(
      'etcd',
      [
        ...['--name', node.name, '--data-dir', node.directory, '--logger', 'zap', '--log-level', 'error'],
        ...['--listen-client-urls', `http://${node.client}`, '--advertise-client-urls', `http://${node.client}`],
        ...['--listen-peer-urls', `http://${node.peer}`, '--initial-advertise-peer-urls', `http://${node.peer}`],
        ...['--initial-cluster', this.nodes.map(({ name, peer }) => `${name}=http://${peer}`).join(',')],
        ...['--quota-backend-bytes', String(quotaBytes)],
      ],
      { stdio: ['ignore', output, output] },
    );
    closeSync(output);
  }

  private async status(): Promise<EndpointStatus[]> {
    return JSON.parse(await this.etcdctl(['endpoint', 'status', '-w', 'json'])) as EndpointStatus[];
  }

  private etcdctl(args: readonly string[]): Promise<string> {
    return runCommand('etcdctl', ['--endpoints', this.endpoints().join(','), ...args], {
      environment: { ETCDCTL_API: '3' },
    });
  }
}
