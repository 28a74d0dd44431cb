// Watches real servers while something hostile happens to them: the processes stay, writes of a well-behaved client go on,
// nobody is elected anew, memory and logs stay within bounds.

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { AcknowledgedLoad } from '../../src/cli/local-ensemble/acknowledged-load.js';
import { patienceMs, type TestEnsemble } from '../harness/test-ensemble.js';

/** What a server may grow by under attack, beyond what it took before: buffers are bounded, garbage is collected late. */
const growthBytesMax = 400 * 2 ** 20;
/** Lines that one server may log, for each look at it. */
const logLinesPerLookMax = 100;
/** Writes that must be acknowledged between two looks. */
const progressWrites = 10;

export class WatchedEnsemble {
  readonly load: AcknowledgedLoad;
  /** Highest resident memory seen of any node, bytes. */
  peakBytes = 0;
  private readonly test: TestEnsemble;
  private readonly running: readonly number[];
  private readonly pids: readonly (number | undefined)[];
  private readonly marks: readonly number[];
  private readonly residentBefore: readonly number[];
  private readonly epoch: number;
  private looks = 1;

  private constructor(test: TestEnsemble, running: readonly number[], load: AcknowledgedLoad, epoch: number) {
    this.test = test;
    this.running = running;
    this.load = load;
    this.epoch = epoch;
    this.pids = running.map((node) => test.node(node).process?.pid);
    this.marks = running.map((node) => test.node(node).log().length);
    this.residentBefore = this.pids.map(residentBytes);
  }

  /** `running`: the nodes that serve; others are not there. */
  static async begin(test: TestEnsemble, running: readonly number[]): Promise<WatchedEnsemble> {
    const { status } = await test.view.leadership(patienceMs, running);
    const peers = running.map((node) => test.node(node).addresses.RequestAddr);
    const load = test.load({ peers });
    await test.progress(load, 100);
    return new WatchedEnsemble(test, running, load, status.epoch);
  }

  /** Clients' writes go on, and nothing has grown past its bound. */
  async look(what: string): Promise<void> {
    this.looks++;
    await this.test.progress(this.load, progressWrites);
    for (const [index, pid] of this.pids.entries()) {
      const node = this.test.node(this.running[index] ?? 0);
      expect(node.running, `${node.name} runs after ${what}`).toBe(true);
      const resident = residentBytes(pid);
      this.peakBytes = Math.max(this.peakBytes, resident);
      const growth = resident - (this.residentBefore[index] ?? 0);
      expect(growth, `growth of ${node.name} after ${what}, bytes`).toBeLessThan(growthBytesMax);
    }
  }

  /** Lines that each node has logged since the beginning. */
  logLines(): number[] {
    return this.running.map(
      (node, index) =>
        this.test
          .node(node)
          .log()
          .slice(this.marks[index] ?? 0)
          .split('\n').length - 1,
    );
  }

  /** The same processes in the same epoch, no write lost, no log flooded. */
  async end(options: { readonly sameEpoch?: boolean } = {}): Promise<void> {
    await this.load.stop();
    expect(this.load.failures).toEqual([]);
    const { status } = await this.test.view.leadership(patienceMs, this.running);
    if (options.sameEpoch ?? true) expect(status.epoch).toBe(this.epoch);
    expect(this.running.map((node) => this.test.node(node).process?.pid)).toEqual(this.pids);
    for (const lines of this.logLines()) expect(lines).toBeLessThan(this.looks * logLinesPerLookMax);
    for (const [index, node] of this.running.entries()) {
      // Nobody lost more than a connection by it, but it is a defect.
      expect(this.test.node(node).log().slice(this.marks[index])).not.toContain('A front end met an exception');
    }
    await this.test.view.caughtUp(patienceMs, 0, this.running);
    for (const node of this.running) {
      const found = await this.test.view.records(node, 'load');
      const lost = [...this.load.acknowledged].filter(([key, value]) => found.get(key) !== value);
      expect(lost, `writes lost on node ${node}`).toEqual([]);
    }
    await this.test.view.commonDigest(patienceMs, this.running);
  }
}

/** 0 where the system does not tell. */
export function residentBytes(pid: number | undefined): number {
  if (process.platform !== 'linux') return 0;
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes ?? 0) * 1_024;
}
