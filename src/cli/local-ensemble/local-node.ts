// One member of an ensemble on this machine: its configuration file, data directory, log file, and its process while it
// runs. Starts, stops, kills and pauses it; never talks to it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ProcessExit, ServerProcess } from './server-process.js';

export interface NodeAddresses {
  readonly ElectionAddr: string;
  readonly MessageAddr: string;
  readonly RequestAddr: string;
}

/** A server's configuration file: Host, Peer, and any further keys. */
export type NodeFile = { readonly [key: string]: unknown };

export interface LocalNodeOptions {
  /** For people: node1, node2, … */
  readonly name: string;
  readonly executable: string;
  /** Holds the configuration file, the log file, and the data directory unless another is named. */
  readonly directory: string;
  readonly dataDirectory?: string;
  /** See ServerProcessOptions. */
  readonly launcher?: readonly string[];
  readonly addresses: NodeAddresses;
  readonly file: NodeFile;
  readonly environment?: NodeJS.ProcessEnv;
}

export class LocalNode {
  readonly name: string;
  readonly addresses: NodeAddresses;
  readonly configFile: string;
  readonly dataDirectory: string;
  readonly logFile: string;
  private readonly options: LocalNodeOptions;
  private current: ServerProcess | null = null;

  constructor(options: LocalNodeOptions) {
    this.options = options;
    this.name = options.name;
    this.addresses = options.addresses;
    mkdirSync(options.directory, { recursive: true });
    this.configFile = join(options.directory, `${options.name}.json`);
    this.dataDirectory = options.dataDirectory ?? join(options.directory, `${options.name}-data`);
    this.logFile = join(options.directory, `${options.name}.log`);
    this.configure(options.file);
  }

  /** Replaces the configuration file; it counts from the next start. */
  configure(file: NodeFile): void {
    const document = { DataDir: this.dataDirectory, ...file };
    writeFileSync(this.configFile, `${JSON.stringify(document, null, 2)}\n`);
  }

  /** The running process, or the last one; null before the first start. */
  get process(): ServerProcess | null {
    return this.current;
  }

  get running(): boolean {
    return this.current !== null && this.current.ended === null;
  }

  /** Starts a process; returns once it is spawned, long before it serves. */
  async start(flags: readonly string[] = []): Promise<ServerProcess> {
    if (this.running) throw new Error(`Cannot start ${this.name}: it is running`);
    this.current = await ServerProcess.start({
      executable: this.options.executable,
      args: ['server', '--config', this.configFile, ...flags],
      workingDirectory: this.options.directory,
      logFile: this.logFile,
      ...(this.options.launcher === undefined ? {} : { launcher: this.options.launcher }),
      ...(this.options.environment === undefined ? {} : { environment: this.options.environment }),
    });
    return this.current;
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    await this.current?.kill();
  }

  /** SIGTERM, then SIGKILL after the time. */
  async stop(timeoutMs = 10_000): Promise<ProcessExit | null> {
    return this.current === null ? null : await this.current.stop(timeoutMs);
  }

  pause(): void {
    this.current?.signal('SIGSTOP');
  }

  resume(): void {
    this.current?.signal('SIGCONT');
  }

  /** All that it has logged since its first start. */
  log(): string {
    return this.current?.log() ?? '';
  }
}
