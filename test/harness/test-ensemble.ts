// An ensemble of real server processes for one test: made in a directory of its own, killed and removed when the test
// has passed, killed and kept (with its logs shown) when it has not.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import {
  AcknowledgedLoad,
  type AcknowledgedLoadOptions,
  lostWrites,
} from '../../src/cli/local-ensemble/acknowledged-load.js';
import { EnsembleView } from '../../src/cli/local-ensemble/ensemble-view.js';
import { LocalEnsemble, type LocalEnsembleOptions } from '../../src/cli/local-ensemble/local-ensemble.js';
import type { LocalNode } from '../../src/cli/local-ensemble/local-node.js';
import { until } from '../../src/cli/local-ensemble/until.js';

/** For anything that the ensemble should do soon; the machine may be busy with other work. */
export const patienceMs = 30_000;
const logTailBytes = 6_000;

export type SyncKind = 'diff' | 'truncate' | 'snapshot';

export class TestEnsemble {
  readonly ensemble: LocalEnsemble;
  readonly view: EnsembleView;

  constructor(ensemble: LocalEnsemble) {
    this.ensemble = ensemble;
    this.view = new EnsembleView(ensemble.requestAddresses);
  }

  get size(): number {
    return this.ensemble.nodes.length;
  }

  node(index: number): LocalNode {
    return this.ensemble.node(index);
  }

  /** Starts all and waits until one leads and all serve. */
  async start(): Promise<number> {
    await this.ensemble.start();
    const ended = this.ensemble.nodes.map((node) => node.process?.exited.then(() => node));
    const first = await Promise.race([this.leader(), ...ended]);
    if (typeof first === 'object') throw new Error(`${first.name} ended at its start: ${first.log()}`);
    return await this.leader();
  }

  /** Waits until all nodes serve under one leader, and says which. */
  async leader(): Promise<number> {
    return (await this.view.leadership(patienceMs)).leader;
  }

  followersOf(leader: number): number[] {
    return this.ensemble.nodes.map((_, index) => index).filter((index) => index !== leader);
  }

  load(options: Partial<AcknowledgedLoadOptions> = {}): AcknowledgedLoad {
    return new AcknowledgedLoad({
      peers: this.ensemble.requestAddresses,
      prefix: 'load/',
      inFlight: 20,
      timeoutMs: 20_000,
      ...options,
    });
  }

  /** Waits until this much more was acknowledged. */
  async progress(load: AcknowledgedLoad, more: number): Promise<void> {
    const wanted = load.acknowledged.size + more;
    await until(`${more} more writes`, { timeoutMs: patienceMs }, () => load.acknowledged.size >= wanted || undefined);
  }

  /** Every acknowledged write is on every node, and the digests agree. */
  async verify(loads: readonly AcknowledgedLoad[]): Promise<void> {
    await this.view.leadership(patienceMs);
    await this.view.caughtUp(patienceMs);
    for (let node = 0; node < this.size; node++) {
      for (const load of loads) {
        const found = await this.view.records(node, 'load');
        expect(lostWrites(load.acknowledged, found), `writes lost on node ${node}`).toEqual([]);
      }
    }
    await this.view.commonDigest(patienceMs);
  }

  /** True when none of these nodes led and served during the whole time. */
  async stayedLeaderless(nodes: readonly number[], timeMs: number): Promise<boolean> {
    try {
      await this.view.anyLeader(timeMs, nodes);
      return false;
    } catch {
      // Nobody was found within the time, which is what was asked.
      return true;
    }
  }

  /** How long each node's log is now; for syncsSince. */
  logMarks(): number[] {
    return this.ensemble.nodes.map((node) => node.log().length);
  }

  /** Kinds of synchronization that any leader has begun since the marks, in the order of the nodes' logs. */
  syncsSince(marks: readonly number[]): SyncKind[] {
    return this.ensemble.nodes.flatMap((node, index) => {
      const lines = node.log().slice(marks[index] ?? 0);
      return [...lines.matchAll(/synchronizing.*\b(diff|truncate|snapshot)\b/g)].map((match) => match[1] as SyncKind);
    });
  }
}

/** Runs a test on an ensemble of its own. The nodes are configured but not started. */
export async function withEnsemble(
  options: Partial<LocalEnsembleOptions>,
  body: (test: TestEnsemble) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'zabtree-test-'));
  const ensemble = await LocalEnsemble.create({ nodes: 3, directory, ...options });
  const test = new TestEnsemble(ensemble);
  let passed = false;
  try {
    await body(test);
    passed = true;
  } finally {
    test.view.close();
    await ensemble.close();
    if (passed) rmSync(directory, { recursive: true, force: true });
    else showLogs(test, directory);
  }
}

function showLogs(test: TestEnsemble, directory: string): void {
  process.stderr.write(`\nConfigurations, logs and data are kept in ${directory}\n`);
  for (const node of test.ensemble.nodes) {
    process.stderr.write(`--- the end of ${node.logFile}\n${node.log().slice(-logTailBytes)}\n`);
  }
}
