// Makes a failing run small: fewer faults, then fewer clients and watches and less time, as long as the same invariant
// breaks. What is left is run once more for its trace. Bounded by a number of runs, not by time.

import { setImmediate } from 'node:timers/promises';
import type { Violation } from './checkers/ensemble-view.js';
import { smallestFailing } from './delta-debugging.js';
import { describeEvent } from './fault-schedule.js';
import type { FaultKind } from './run-plan.js';
import { runSimulation, type SimulationOptions, type SimulationResult } from './simulation.js';

/** Runs spent on one failure, at most. */
const shrinkRunsMax = 150;
/** Lines of the trace that a report shows. */
const traceLinesMax = 60;

export interface ShrunkFailure {
  /** Of the shrunk run; its invariant is the one that broke at first. */
  readonly violation: Violation;
  readonly hash: string;
  /** A line for each fault that is left, and how many there were. */
  readonly events: readonly string[];
  readonly eventsBefore: number;
  /** Runs that it took. */
  readonly runs: number;
  /** The last lines up to the violation. */
  readonly trace: readonly string[];
  /** Runs the shrunk run again. */
  readonly command: string;
}

export interface ShrinkBounds {
  readonly runsMax?: number;
  readonly signal?: AbortSignal | undefined;
}

/** `failed` is the result of these options, with a violation. The signal ends the search, not the report. */
export async function shrinkFailure(
  options: SimulationOptions,
  failed: SimulationResult,
  bounds: ShrinkBounds = {},
): Promise<ShrunkFailure> {
  const shrinking = new Shrinking(options, failed, bounds);
  await shrinking.leaveOutFaults();
  await shrinking.leaveOutClients();
  await shrinking.shorten();
  return shrinking.report(failed.schedule.length);
}

class Shrinking {
  private readonly invariant: string;
  private readonly bounds: ShrinkBounds;
  private runs = 0;
  /** The smallest run so far that breaks the invariant. */
  private options: SimulationOptions;
  private result: SimulationResult;

  constructor(options: SimulationOptions, failed: SimulationResult, bounds: ShrinkBounds) {
    this.bounds = bounds;
    this.invariant = firstViolation(failed).invariant;
    this.options = options;
    this.result = failed;
    this.adopt(options, failed);
  }

  async leaveOutFaults(): Promise<void> {
    const { atMs } = firstViolation(this.result);
    const before = this.result.schedule.filter((event) => event.atMs <= atMs).map(({ index }) => index);
    await smallestFailing(before, (only) =>
      this.attempt({ ...this.options, faults: { ...this.options.faults, only } }),
    );
  }

  async leaveOutClients(): Promise<void> {
    for (const clientsMax of [0, 1, 2]) if (await this.attempt({ ...this.options, clientsMax })) break;
    for (const watchersMax of [0, 1]) if (await this.attempt({ ...this.options, watchersMax })) break;
  }

  async shorten(): Promise<void> {
    for (const share of [0.1, 0.25, 0.5, 0.75]) {
      const durationMs = Math.ceil(this.options.durationMs * share);
      if (await this.attempt({ ...this.options, durationMs })) break;
    }
  }

  async report(eventsBefore: number): Promise<ShrunkFailure> {
    const { trace, hash, schedule, violations } = await runSimulation({ ...this.options, verbose: true });
    const [violation] = violations;
    if (violation === undefined || hash !== this.result.hash)
      throw new Error(`Cannot report seed ${this.options.seed}: its second run took another course`);
    return {
      violation,
      hash,
      events: schedule.map(describeEvent),
      eventsBefore,
      runs: this.runs,
      trace: trace.slice(-traceLinesMax),
      command: replayCommand({
        ...this.options,
        faults: { ...this.options.faults, only: schedule.map(({ index }) => index) },
      }),
    };
  }

  /** True, and these are the options from now on, when the same invariant still breaks. */
  private async attempt(options: SimulationOptions): Promise<boolean> {
    // A run may never wait for anything; signals want to be heard between two.
    await setImmediate();
    const { runsMax = shrinkRunsMax, signal } = this.bounds;
    if (this.runs >= runsMax || signal?.aborted === true) return false;
    this.runs += 1;
    const result = await runSimulation(options);
    if (result.violations[0]?.invariant !== this.invariant) return false;
    this.adopt(options, result);
    return true;
  }

  /** What would come after the violation needs no time; up to there a shorter run is the same. */
  private adopt(options: SimulationOptions, result: SimulationResult): void {
    const { atMs } = firstViolation(result);
    const durationMs = Math.min(options.durationMs, Math.ceil(atMs + 1));
    this.options = { ...options, durationMs };
    this.result = result;
  }
}

function firstViolation(result: SimulationResult): Violation {
  const [violation] = result.violations;
  if (violation === undefined) throw new Error(`Cannot shrink seed ${result.seed}: nothing failed`);
  return violation;
}

/** The command line that repeats this run and shows its trace. */
export function replayCommand(options: SimulationOptions): string {
  const { seed, nodes, durationMs, faults = {}, clientsMax, watchersMax } = options;
  const list = (name: string, words: readonly (FaultKind | number)[] | undefined): string =>
    words === undefined ? '' : ` --${name} ${words.length === 0 ? 'none' : words.join(',')}`;
  const number = (name: string, value: number | undefined): string =>
    value === undefined ? '' : ` --${name} ${value}`;
  return (
    `zabtree simulate --seed ${seed} --nodes ${nodes} --seconds ${durationMs / 1000}` +
    list('faults', faults.kinds) +
    number('loss', faults.lossChance) +
    list('only-faults', faults.only) +
    number('clients', clientsMax) +
    number('watchers', watchersMax) +
    ' --trace'
  );
}
