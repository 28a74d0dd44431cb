// Claims on ports between finding them free and binding them, so that processes which look for ports at the same time do not
// find the same ones: an empty file for each, for a few seconds. Without a directory to write to there are no claims.

import { closeSync, mkdirSync, openSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** From then on a claim counts no more: its process has bound the port, or never will. */
export const claimMs = 15_000;

export class PortClaims {
  readonly #directory: string;
  readonly #nowMs: () => number;
  readonly #claimed = new Set<string>();

  constructor(directory = join(tmpdir(), 'zabtree-ports'), nowMs = Date.now) {
    this.#directory = directory;
    this.#nowMs = nowMs;
  }

  /** False: another one has claimed it a moment ago. */
  claim(port: number): boolean {
    const file = join(this.#directory, String(port));
    try {
      mkdirSync(this.#directory, { recursive: true });
      if (this.#isOld(file)) rmSync(file, { force: true });
      closeSync(openSync(file, 'wx'));
    } catch (error) {
      return codeOf(error) !== 'EEXIST';
    }
    if (this.#claimed.size === 0) process.once('exit', () => this.giveBack());
    this.#claimed.add(file);
    return true;
  }

  /** Leaves nothing behind. */
  giveBack(): void {
    for (const file of this.#claimed) rmSync(file, { force: true });
    this.#claimed.clear();
    try {
      rmdirSync(this.#directory);
    } catch (error) {
      // Others have claims in it, or have just removed it.
      if (codeOf(error) !== 'ENOTEMPTY' && codeOf(error) !== 'ENOENT') throw error;
    }
  }

  #isOld(file: string): boolean {
    const found = statSync(file, { throwIfNoEntry: false });
    return found !== undefined && this.#nowMs() - found.mtimeMs > claimMs;
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
