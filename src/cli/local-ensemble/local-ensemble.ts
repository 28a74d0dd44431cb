// A whole ensemble on this machine: several LocalNodes on free ports, under one directory. When this process exits or is
// told to die, its servers are killed; only SIGKILL leaves them behind. Never talks to a server.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from './free-ports.js';
import { LocalNode, type NodeAddresses, type NodeFile } from './local-node.js';
import { onDeadlySignal } from './on-deadly-signal.js';

export interface LocalEnsembleOptions {
  /** How many members. */
  readonly nodes: number;
  /** Exists; holds everything that the ensemble writes. */
  readonly directory: string;
  /** Addresses to use instead of free ports, one for each node. */
  readonly addresses?: readonly NodeAddresses[];
  /** Further configuration keys, the same for all (Limits, Timing, …). */
  readonly settings?: NodeFile;
  readonly environment?: NodeJS.ProcessEnv;
  readonly executable?: string;
  /** When a signal ends this process, after the nodes were killed. */
  readonly onDeath?: () => void;
}

/** bin/zabtree of this very checkout or installation: this file is in src/ or dist/, cli/local-ensemble/ below it. */
export const zabtreeExecutable = fileURLToPath(new URL('../../../bin/zabtree', import.meta.url));

export async function freeAddresses(count: number): Promise<NodeAddresses[]> {
  const ports = await freePorts(count * 3);
  return Array.from({ length: count }, (_, index) => ({
    ElectionAddr: `127.0.0.1:${ports[index * 3]}`,
    MessageAddr: `127.0.0.1:${ports[index * 3 + 1]}`,
    RequestAddr: `127.0.0.1:${ports[index * 3 + 2]}`,
  }));
}

/** The configuration of one member, as gometa writes it: Host, and every other as Peer. */
export function memberFile(all: readonly NodeAddresses[], own: NodeAddresses): NodeFile {
  const peers = all.filter((other) => other !== own);
  return { Host: own, Peer: peers.map(({ ElectionAddr, MessageAddr }) => ({ ElectionAddr, MessageAddr })) };
}

export class LocalEnsemble {
  readonly directory: string;
  readonly nodes: readonly LocalNode[];
  /** A client's configuration file that lists every node. */
  readonly clientFile: string;
  private readonly stopHandlingSignals: () => void;

  private constructor(options: LocalEnsembleOptions, addresses: readonly NodeAddresses[]) {
    this.directory = options.directory;
    this.nodes = addresses.map(
      (own, index) =>
        new LocalNode({
          name: `node${index + 1}`,
          executable: options.executable ?? zabtreeExecutable,
          directory: options.directory,
          addresses: own,
          file: { ...memberFile(addresses, own), ...options.settings },
          ...(options.environment === undefined ? {} : { environment: options.environment }),
        }),
    );
    this.clientFile = join(options.directory, 'client.json');
    const peers = addresses.map(({ RequestAddr }) => ({ RequestAddr }));
    writeFileSync(this.clientFile, `${JSON.stringify({ Peer: peers }, null, 2)}\n`);
    process.on('exit', this.killNow);
    this.stopHandlingSignals = onDeadlySignal(() => {
      this.killNow();
      options.onDeath?.();
    });
  }

  /** Writes the files; starts nothing. */
  static async create(options: LocalEnsembleOptions): Promise<LocalEnsemble> {
    return new LocalEnsemble(options, options.addresses ?? (await freeAddresses(options.nodes)));
  }

  node(index: number): LocalNode {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`Cannot use node ${index}: there are ${this.nodes.length}`);
    return node;
  }

  /** Sends SIGKILL to every node and does not wait. */
  readonly killNow = (): void => {
    for (const node of this.nodes) node.process?.signal('SIGKILL');
  };

  /** RequestAddr of every node. */
  get requestAddresses(): readonly string[] {
    return this.nodes.map((node) => node.addresses.RequestAddr);
  }

  /** Starts every node that does not run; returns once they are spawned. */
  async start(flags: readonly string[] = []): Promise<void> {
    await Promise.all(this.nodes.filter((node) => !node.running).map((node) => node.start(flags)));
  }

  /** Kills every node with SIGKILL and waits until they are gone. */
  async close(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    this.release();
  }

  /** Asks every node to stop, then kills what has not stopped within the time. */
  async stop(timeoutMs = 10_000): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop(timeoutMs)));
    this.release();
  }

  private release(): void {
    process.removeListener('exit', this.killNow);
    this.stopHandlingSignals();
  }
}
