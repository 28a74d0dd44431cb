// Runs `bin/zabtree` once, as a shell would, and returns how it ended and what it printed.

import { spawn } from 'node:child_process';
import { zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';

export interface RunResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly elapsedMs: number;
}

export interface RunOptions {
  readonly input?: string;
  readonly workingDirectory?: string;
  readonly environment?: NodeJS.ProcessEnv;
  /** A command that is given the command line and becomes it, such as nsenter; default: none. */
  readonly launcher?: readonly string[];
  /** Killed after this; default one minute. */
  readonly timeoutMs?: number;
}

export function runZabtree(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const began = performance.now();
  const line = [...(options.launcher ?? []), process.execPath, zabtreeExecutable, ...args];
  const child = spawn(line[0] ?? process.execPath, line.slice(1), {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs ?? 60_000,
    killSignal: 'SIGKILL',
    ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
    env: { ...process.env, ...options.environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // A process that ends before it has read its input is no failure of the test.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr, elapsedMs: performance.now() - began });
    });
  });
}
