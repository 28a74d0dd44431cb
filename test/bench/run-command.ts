// Runs a program to its end and returns its standard output; fails with its standard error.

import { spawn } from 'node:child_process';

export interface RunCommandOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly workingDirectory?: string;
}

export function runCommand(command: string, args: readonly string[], options: RunCommandOptions = {}): Promise<string> {
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    ...(options.workingDirectory === undefined ? {} : { cwd: options.workingDirectory }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(stdout);
      else
        reject(
          new Error(`${command} ${args.join(' ')} ended with ${code}: ${stderr.slice(-2_000)}${stdout.slice(-500)}`),
        );
    });
  });
}

/** True when the program can be started. */
export async function hasCommand(command: string, args: readonly string[]): Promise<boolean> {
  try {
    await runCommand(command, args);
    return true;
  } catch {
    // Not installed is an ordinary answer here.
    return false;
  }
}
