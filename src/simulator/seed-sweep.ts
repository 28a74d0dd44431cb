// Runs many seeds one after another, adds up what they did, and tells what a failing seed broke and how to see it again.

import { type FaultKind, faultKinds } from './run-plan.js';
import { runSimulation, type SimulationOptions, type SimulationResult } from './simulation.js';

export interface SweepOptions extends Omit<SimulationOptions, 'seed' | 'nodes' | 'verbose'> {
  readonly firstSeed: number;
  readonly runs: number;
  /** Members of the ensemble of each seed. */
  readonly nodesOf: (seed: number) => number;
}

export interface SweepSummary {
  readonly runs: number;
  readonly virtualMs: number;
  readonly answered: number;
  readonly operations: number;
  readonly entries: number;
  readonly events: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  readonly failed: readonly SimulationResult[];
}

export async function runSweep(
  options: SweepOptions,
  afterEach?: (result: SimulationResult) => void,
): Promise<SweepSummary> {
  const { firstSeed, runs, nodesOf, ...shared } = options;
  const faults = new Map<FaultKind, number>();
  const failed: SimulationResult[] = [];
  const sums = { virtualMs: 0, answered: 0, operations: 0, entries: 0, events: 0 };
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const result = await runSimulation({ ...shared, seed, nodes: nodesOf(seed) });
    for (const kind of faultKinds) faults.set(kind, (faults.get(kind) ?? 0) + (result.faults.get(kind) ?? 0));
    sums.virtualMs += result.virtualMs;
    sums.answered += result.answered;
    sums.operations += result.operations;
    sums.entries += result.entries;
    sums.events += result.events;
    if (result.violations.length > 0) failed.push(result);
    afterEach?.(result);
  }
  return { runs, ...sums, faults, failed };
}

/** What a failing seed broke, for people. */
export function describeFailure(result: SimulationResult, durationMs: number): string {
  const lines = result.violations
    .slice(0, 3)
    .map(({ invariant, atMs, detail }) => `  ${invariant}, at ${atMs.toFixed(3)} ms: ${detail}`);
  const again = `zabtree simulate --seed ${result.seed} --nodes ${result.nodes} --seconds ${durationMs / 1000} --trace`;
  return `seed ${result.seed} with ${result.nodes} nodes (trace hash ${result.hash}):\n${lines.join('\n')}\n  again: ${again}`;
}
