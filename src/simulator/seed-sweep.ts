// Runs many seeds, on one runner or several at once, adds up what they did in the order of the seeds, and makes the
// first failures small. The outcome does not depend on how many runners there are.

import type { Violation } from './checkers/ensemble-view.js';
import { formatHash, mixText } from './content-hash.js';
import type { FaultKind } from './run-plan.js';
import { type SeedRunner, thisThread } from './seed-runner.js';
import { replayCommand, type ShrunkFailure } from './shrink.js';
import type { SimulationOptions, SimulationResult } from './simulation.js';

/** Failures that are made small, at most; the others are told as they are. */
const shrunkFailuresMax = 3;
/** Of one run; the first is what counts, later ones often follow from it. */
const violationsToldMax = 3;

export interface SweepOptions extends Omit<SimulationOptions, 'seed' | 'nodes' | 'verbose'> {
  readonly firstSeed: number;
  readonly runs: number;
  /** Members of the ensemble of each seed. */
  readonly nodesOf: (seed: number) => number;
}

export interface SweepControl {
  /** One by default: this thread. */
  readonly runners?: readonly SeedRunner[];
  /** False: failures are told as they are, without further runs. */
  readonly shrink?: boolean;
  /** Ends the sweep; the summary is of the seeds up to the first one that was not run. */
  readonly signal?: AbortSignal;
  /** In the order of the seeds. */
  readonly afterEach?: (result: SimulationResult, options: SimulationOptions) => void;
  /** Once, when no more seeds are run, before failures are made small. */
  readonly afterAll?: () => void;
}

export interface SweepFailure {
  readonly result: SimulationResult;
  readonly options: SimulationOptions;
  readonly shrunk: ShrunkFailure | undefined;
}

export interface SweepSummary {
  readonly runs: number;
  readonly virtualMs: number;
  readonly answered: number;
  readonly operations: number;
  readonly entries: number;
  readonly events: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** Over the hashes of the runs in order; of a single run its own. */
  readonly hash: string;
  readonly failed: readonly SweepFailure[];
}

export async function runSweep(options: SweepOptions, control: SweepControl = {}): Promise<SweepSummary> {
  const sweep = new Sweep(options, control);
  await sweep.runAll();
  control.afterAll?.();
  await sweep.shrinkAll();
  return sweep.summary();
}

class Sweep {
  private readonly options: SweepOptions;
  private readonly control: SweepControl;
  private readonly runners: readonly SeedRunner[];
  private readonly faults = new Map<FaultKind, number>();
  private readonly failed: { readonly result: SimulationResult; shrunk: ShrunkFailure | undefined }[] = [];
  private readonly sums = { virtualMs: 0, answered: 0, operations: 0, entries: 0, events: 0 };
  /** Results that wait for those of earlier seeds. */
  private readonly waiting = new Map<number, SimulationResult>();
  private counted = 0;
  private hash = 1;
  private onlyHash = '';

  constructor(options: SweepOptions, control: SweepControl) {
    this.options = options;
    this.control = control;
    this.runners = control.runners ?? [thisThread];
  }

  async runAll(): Promise<void> {
    const { firstSeed, runs } = this.options;
    let next = firstSeed;
    await this.onEachRunner(async (runner) => {
      while (next < firstSeed + runs && !this.aborted) {
        const seed = next++;
        const result = await runner.run(this.optionsOf(seed));
        if (this.aborted) return;
        this.waiting.set(seed, result);
        this.countInOrder();
      }
    });
  }

  async shrinkAll(): Promise<void> {
    if (this.control.shrink === false) return;
    const due = this.failed.slice(0, shrunkFailuresMax);
    await this.onEachRunner(async (runner) => {
      for (let failure = due.shift(); failure !== undefined && !this.aborted; failure = due.shift()) {
        const { result } = failure;
        failure.shrunk = await runner.shrink(this.optionsOf(result.seed), result, this.control.signal);
      }
    });
  }

  summary(): SweepSummary {
    const { counted, sums, faults } = this;
    const hash = counted === 1 ? this.onlyHash : formatHash(this.hash);
    const failed = this.failed.map((failure) => ({
      ...failure,
      options: this.optionsOf(failure.result.seed),
    }));
    return { runs: counted, ...sums, faults, hash, failed };
  }

  private get aborted(): boolean {
    return this.control.signal?.aborted === true;
  }

  /** Until all are done, or the sweep is ended: then nobody waits for what they still have under way. */
  private async onEachRunner(work: (runner: SeedRunner) => Promise<void>): Promise<void> {
    const { signal } = this.control;
    const everything = Promise.all(this.runners.map(work));
    if (signal === undefined) {
      await everything;
      return;
    }
    const ended = new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await Promise.race([everything, ended]);
  }

  private optionsOf(seed: number): SimulationOptions {
    const { firstSeed: _, runs: __, nodesOf, ...shared } = this.options;
    return { ...shared, seed, nodes: nodesOf(seed) };
  }

  private countInOrder(): void {
    for (;;) {
      const seed = this.options.firstSeed + this.counted;
      const result = this.waiting.get(seed);
      if (result === undefined) return;
      this.waiting.delete(seed);
      this.count(result);
    }
  }

  private count(result: SimulationResult): void {
    const { sums, faults } = this;
    this.counted += 1;
    this.onlyHash = result.hash;
    this.hash = mixText(this.hash, result.hash);
    for (const [kind, count] of result.faults) faults.set(kind, (faults.get(kind) ?? 0) + count);
    sums.virtualMs += result.virtualMs;
    sums.answered += result.answered;
    sums.operations += result.operations;
    sums.entries += result.entries;
    sums.events += result.events;
    if (result.violations.length > 0) this.failed.push({ result, shrunk: undefined });
    this.control.afterEach?.(result, this.optionsOf(result.seed));
  }
}

/** What a failing run broke, for people. */
export function describeResult(result: SimulationResult, options: SimulationOptions): string {
  const lines = result.violations.slice(0, violationsToldMax).map((violation) => `  ${describeViolation(violation)}\n`);
  return `seed ${result.seed} with ${result.nodes} nodes (trace hash ${result.hash}):\n${lines.join('')}  again: ${replayCommand(options)}`;
}

/** What is left of a failing run when it was made small. */
export function describeShrunk(seed: number, shrunk: ShrunkFailure): string {
  const { violation, events, eventsBefore, runs, trace, command } = shrunk;
  const indented = (lines: readonly string[]): string => lines.map((line) => `    ${line}\n`).join('');
  return (
    `seed ${seed} made small in ${runs} runs:\n  ${describeViolation(violation)}\n` +
    `  faults, ${events.length} of ${eventsBefore}:\n${indented(events)}` +
    `  the end of its trace:\n${indented(trace)}` +
    `  again: ${command}`
  );
}

/** Both, as far as they are there. */
export function describeFailure({ result, options, shrunk }: SweepFailure): string {
  const whole = describeResult(result, options);
  return shrunk === undefined ? whole : `${whole}\n${describeShrunk(result.seed, shrunk)}`;
}

function describeViolation({ invariant, atMs, detail }: Violation): string {
  return `${invariant}, at ${(atMs / 1000).toFixed(3)} s: ${detail}`;
}
