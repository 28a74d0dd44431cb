// Runs a program on a real pseudo-terminal, which util-linux's `script` provides, and talks to it like a person: types a
// line, waits for a prompt.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { until } from '../../src/cli/local-ensemble/until.js';

/** False where no pseudo-terminal can be had; tests that need one say so and are skipped. */
export const hasTerminal = spawnSync('script', ['--version']).status === 0;

export class Terminal {
  private readonly child: ChildProcessWithoutNullStreams;
  private text = '';
  private read = 0;
  private code: number | null | undefined;

  constructor(command: readonly string[]) {
    const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
    this.child = spawn('script', ['--quiet', '--flush', '--return', '--command', quoted, '/dev/null'], {
      detached: true,
      env: { ...process.env, TERM: 'xterm' },
    });
    this.child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      this.text += chunk;
    });
    // What is typed after the end is of no interest.
    this.child.stdin.on('error', () => undefined);
    this.child.on('close', (code) => {
      this.code = code;
    });
  }

  /** Everything shown so far. */
  get shown(): string {
    return this.text;
  }

  /** Waits until something new matches, and returns the match; what lies before it is not looked at again. */
  async see(pattern: RegExp, timeoutMs = 20_000): Promise<RegExpExecArray> {
    try {
      return await until(`${pattern} on the terminal`, { timeoutMs }, () => {
        const match = pattern.exec(this.text.slice(this.read));
        if (match === null) return undefined;
        this.read += match.index + match[0].length;
        return match;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; it shows:\n${this.text.slice(-2_000)}`);
    }
  }

  /** Types a line and Enter. */
  type(line: string): void {
    this.press(`${line}\r`);
  }

  /** Types these keys alone; all of them arrive at once, as from a paste. */
  press(keys: string): void {
    this.child.stdin.write(keys);
  }

  /** Exit code of the program, once it has ended. */
  async ended(timeoutMs = 20_000): Promise<number | null> {
    return await until('the end of the program', { timeoutMs }, () =>
      this.code === undefined ? undefined : { code: this.code },
    ).then(({ code }) => code);
  }

  kill(): void {
    if (this.code === undefined && this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
  }
}
