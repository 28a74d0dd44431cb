// Three nodes of a real etcd, for tests that compare a whole cluster with an ensemble.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/local-ensemble/free-ports.js';
import { until } from '../../../src/cli/local-ensemble/until.js';

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

const startTimeoutMs = 60_000;
const outputBytesMax = 20_000;

export class EtcdCluster {
  /** `host:port` of every member. */
  readonly endpoints: readonly string[];
  readonly directory: string;
  private readonly processes: readonly ChildProcess[];
  private readonly outputs: string[];

  private constructor(members: readonly Member[], flags: readonly string[]) {
    const directory = mkdtempSync(join(tmpdir(), 'zabtree-etcd-'));
    this.directory = directory;
    this.endpoints = members.map(({ client }) => client);
    this.outputs = members.map(() => '');
    const cluster = members.map(({ name, peer }) => `${name}=http://${peer}`).join(',');
    this.processes = members.map(({ name, client, peer }, index) => {
      const child = spawn(
        'etcd',
        [
          ...['--name', name, '--data-dir', join(directory, name), '--initial-cluster', cluster],
          ...['--listen-client-urls', `http://${client}`, '--advertise-client-urls', `http://${client}`],
          ...['--listen-peer-urls', `http://${peer}`, '--initial-advertise-peer-urls', `http://${peer}`],
          ...flags,
        ],
        { stdio: ['ignore', 'ignore', 'pipe'] },
      );
      child.stderr.on('data', (chunk: Buffer) => {
        this.outputs[index] = ((this.outputs[index] ?? '') + chunk.toString()).slice(-outputBytesMax);
      });
      return child;
    });
  }

  static async start(flags: readonly string[] = []): Promise<EtcdCluster> {
    const ports = await freePorts(6);
    const members = [0, 1, 2].map((index) => ({
      name: `n${index + 1}`,
      client: `127.0.0.1:${ports[index * 2]}`,
      peer: `127.0.0.1:${ports[index * 2 + 1]}`,
    }));
    const cluster = new EtcdCluster(members, flags);
    try {
      await until('etcd to serve', { timeoutMs: startTimeoutMs }, () => {
        const dead = cluster.processes.findIndex(({ exitCode }) => exitCode !== null);
        if (dead >= 0) throw new Error(`etcd ended: ${cluster.outputs[dead]}`);
        return cluster.outputs.every((output) => output.includes('ready to serve client requests')) || undefined;
      });
    } catch (error) {
      await cluster.close();
      throw error;
    }
    return cluster;
  }

  async close(): Promise<void> {
    await Promise.all(
      this.processes.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
      }),
    );
    rmSync(this.directory, { recursive: true, force: true });
  }
}
