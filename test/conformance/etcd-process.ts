// A real etcd of one node, for tests that compare with it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { until } from '../../src/cli/local-ensemble/until.js';

/** Whether this program can be run here. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore', env: { ...process.env, ETCDCTL_API: '3' } });
    return true;
  } catch {
    return false;
  }
}

const startTimeoutMs = 30_000;
const outputBytesMax = 20_000;

export class EtcdProcess {
  readonly address: string;
  readonly directory: string;
  private readonly process: ChildProcess;
  private output = '';

  private constructor(ports: readonly number[], flags: readonly string[]) {
    this.directory = mkdtempSync(join(tmpdir(), 'zabtree-etcd-'));
    const client = `http://127.0.0.1:${ports[0]}`;
    const peer = `http://127.0.0.1:${ports[1]}`;
    this.address = `127.0.0.1:${ports[0]}`;
    this.process = spawn(
      'etcd',
      [
        ...['--name', 'n1', '--data-dir', join(this.directory, 'data')],
        ...['--listen-client-urls', client, '--advertise-client-urls', client],
        ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `n1=${peer}`],
        ...flags,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.output = (this.output + chunk.toString()).slice(-outputBytesMax);
    });
  }

  static async start(flags: readonly string[] = []): Promise<EtcdProcess> {
    const etcd = new EtcdProcess(await freePorts(2), flags);
    try {
      await until('etcd to serve', { timeoutMs: startTimeoutMs }, () => {
        if (etcd.process.exitCode !== null) throw new Error(`etcd ended: ${etcd.output}`);
        return etcd.output.includes('ready to serve client requests') || undefined;
      });
    } catch (error) {
      await etcd.close();
      throw error;
    }
    return etcd;
  }

  async close(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const gone = new Promise((resolve) => this.process.once('exit', resolve));
      this.process.kill('SIGKILL');
      await gone;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
