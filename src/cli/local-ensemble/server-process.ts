// One `zabtree server` as a process of its own, in a process group of its own, its output in a log file. Knows signals
// and exit codes; never what the server answers.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';

export interface ServerProcessOptions {
  /** Path of bin/zabtree. */
  readonly executable: string;
  readonly args: readonly string[];
  /** A command that is given the server's command line and becomes it, such as nsenter; default: none. */
  readonly launcher?: readonly string[];
  readonly workingDirectory: string;
  /** Standard output and error are appended to it. */
  readonly logFile: string;
  readonly environment?: NodeJS.ProcessEnv;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServerProcess {
  readonly pid: number;
  /** Settles when the process is gone; never rejects. */
  readonly exited: Promise<ProcessExit>;
  private readonly child: ChildProcess;
  private readonly logFile: string;
  private exit: ProcessExit | null = null;

  private constructor(child: ChildProcess, pid: number, logFile: string) {
    this.child = child;
    this.pid = pid;
    this.logFile = logFile;
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
  }

  static start(options: ServerProcessOptions): Promise<ServerProcess> {
    const output = openSync(options.logFile, 'a');
    const [command, ...args] = [...(options.launcher ?? []), process.execPath, options.executable, ...options.args];
    const child = spawn(command ?? process.execPath, args, {
      cwd: options.workingDirectory,
      detached: true,
      stdio: ['ignore', output, output],
      env: options.environment ?? process.env,
    });
    closeSync(output);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('spawn', () => {
        child.removeListener('error', reject);
        child.on('error', () => child.kill('SIGKILL'));
        resolve(new ServerProcess(child, child.pid ?? 0, options.logFile));
      });
    });
  }

  /** How it ended; null while it runs. */
  get ended(): ProcessExit | null {
    return this.exit;
  }

  /** Sends to the whole process group. Does nothing when it is gone. */
  signal(name: NodeJS.Signals): void {
    if (this.exit !== null) return;
    try {
      process.kill(-this.pid, name);
    } catch (error) {
      // The group can be gone a moment before its exit is reported here.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Ends it as a crash would, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }

  /** Asks it to stop; kills it when it has not stopped within the time. Returns how it ended. */
  async stop(timeoutMs: number): Promise<ProcessExit> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Everything that it and its predecessors with the same log file have written. */
  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** The parent's exit does not wait for it. */
  unref(): void {
    this.child.unref();
  }
}
