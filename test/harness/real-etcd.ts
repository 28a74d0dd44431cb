// A single etcd as Debian packages it, for tests that compare with it or exchange files with it: started on free ports in a
// directory of its own, spoken to with etcdctl, stopped and removed. Tests say "skipped" where it is not installed.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { until } from '../../src/cli/local-ensemble/until.js';

const patienceMs = 30_000;

export const hasEtcdctl = spawnSync('etcdctl', ['version']).status === 0;
export const hasEtcd = spawnSync('etcd', ['--version']).status === 0;

export interface EtcdctlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function etcdctl(args: readonly string[]): EtcdctlResult {
  const { status, stdout, stderr } = spawnSync('etcdctl', args, {
    encoding: 'utf8',
    maxBuffer: 64 * 2 ** 20,
    timeout: patienceMs,
    env: { ...process.env, ETCDCTL_API: '3' },
  });
  return { code: status, stdout, stderr };
}

export class RealEtcd {
  readonly directory = mkdtempSync(join(tmpdir(), 'zabtree-real-etcd-'));
  readonly dataDir = join(this.directory, 'data');
  private process: ChildProcess | undefined;
  private client = '';

  /** On what is in `dataDir`; a new store when that is nothing. */
  async start(): Promise<void> {
    const [client, peer] = await freePorts(2);
    this.client = `http://127.0.0.1:${client}`;
    const peerUrl = `http://127.0.0.1:${peer}`;
    this.process = spawn(
      'etcd',
      [
        ...['--name', 'default', '--data-dir', this.dataDir],
        ...['--listen-client-urls', this.client, '--advertise-client-urls', this.client],
        ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
        ...['--initial-cluster', `default=${peerUrl}`],
      ],
      { stdio: 'ignore' },
    );
    await until('etcd answers', { timeoutMs: patienceMs }, () => {
      return this.ctl(['--command-timeout', '500ms', 'get', 'x']).code === 0 ? true : undefined;
    });
  }

  ctl(args: readonly string[]): EtcdctlResult {
    return etcdctl(['--endpoints', this.client, ...args]);
  }

  /** What etcdctl prints; throws when it fails. */
  run(...args: readonly string[]): string {
    const { code, stdout, stderr } = this.ctl(args);
    if (code !== 0) throw new Error(`etcdctl ${args.join(' ')} failed: ${stderr}`);
    return stdout;
  }

  /** What a watch prints until it has printed so many lines. */
  async watchLines(args: readonly string[], lines: number): Promise<readonly string[]> {
    const child = spawn('etcdctl', ['--endpoints', this.client, 'watch', ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ETCDCTL_API: '3' },
    });
    let printed = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    try {
      return await until(`${lines} lines of a watch`, { timeoutMs: patienceMs }, () => {
        const seen = printed.split('\n');
        return seen.length > lines ? seen.slice(0, lines) : undefined;
      });
    } finally {
      child.kill('SIGKILL');
    }
  }

  async stop(): Promise<void> {
    const child = this.process;
    if (child === undefined) return;
    this.process = undefined;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
