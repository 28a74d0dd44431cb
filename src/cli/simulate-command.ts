// `zabtree simulate`: runs simulated ensembles, one a seed, and says which invariants held. The simulator itself is only
// loaded when it runs. Results go to standard output, progress, failures and traces to standard error.

import { availableParallelism } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type FaultKind, faultKinds } from '../simulator/run-plan.js';
import type { SeedRunner } from '../simulator/seed-runner.js';
import type { SweepOptions, SweepSummary } from '../simulator/seed-sweep.js';
import { wholeNumber } from './connection-options.js';
import { exitCodes } from './exit-codes.js';
import { note, write, writeJson } from './output.js';
import { SimulateProgress } from './simulate-progress.js';

interface SimulateFlags {
  readonly seed: number;
  readonly runs: number;
  readonly nodes?: string;
  readonly seconds: number;
  readonly loss?: number;
  readonly faults?: readonly FaultKind[];
  readonly onlyFaults?: readonly number[];
  readonly clients?: number;
  readonly watchers?: number;
  readonly workers?: number;
  readonly shrink: boolean;
  readonly trace?: boolean;
  readonly output: 'text' | 'json';
}

const secondsDefault = 60;
/** Sizes of ensembles, by turns, unless told. */
const sizes = [3, 5, 3, 7] as const;

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .description('run whole ensembles on virtual time with faults, and check that they keep their promises')
    .option('--seed <n>', 'first seed; a seed decides everything', wholeNumber(0), 1)
    .option('--runs <n>', 'seeds to run', wholeNumber(1), 1)
    .addOption(new Option('--nodes <n>', 'members (default: 3, 5, 3, 7 by turns)').choices(['3', '5', '7']))
    .option('--seconds <s>', 'virtual time with faults, before everything heals', duration, secondsDefault)
    .option('--loss <share>', 'share of election datagrams lost, 0 to 1 (default: drawn)', share)
    .option('--faults <kinds>', `only these kinds, separated by commas, or "none": ${faultKinds.join(', ')}`, kindsOf)
    .option(
      '--only-faults <numbers>',
      'of the faults of one seed only these, as a report names them, or "none"',
      indexesOf,
    )
    .option('--clients <n>', 'clients, at most (default: drawn)', wholeNumber(0))
    .option('--watchers <n>', 'watches, at most', wholeNumber(0))
    .option('--workers <n>', 'threads (default: one a core)', wholeNumber(1))
    .option('--no-shrink', 'tell failures as they are, without looking for the faults that matter')
    .option('--trace', 'print what happened, its last 20,000 lines (of one run)')
    .addOption(new Option('-o, --output <format>', 'format of the summary').choices(['text', 'json']).default('text'))
    .action(async (flags: SimulateFlags, command: Command) => {
      const several = flags.trace === true ? '--trace' : flags.onlyFaults !== undefined ? '--only-faults' : undefined;
      if (several !== undefined && flags.runs > 1)
        command.error(`error: ${several} is about one run, and --runs says ${flags.runs}`, {
          exitCode: exitCodes.usage,
        });
      await runSimulate(flags);
    });
}

async function runSimulate(flags: SimulateFlags): Promise<void> {
  const { runSweep, describeResult, describeShrunk } = await import('../simulator/seed-sweep.js');
  const options = sweepOptions(flags);
  if (flags.trace === true) await printTrace(options);
  const cpuSeconds = cpuMeter();
  const { stderr } = process;
  const progress = new SimulateProgress({
    stream: stderr,
    runs: flags.runs,
    nowMs: () => performance.now(),
    cpuSeconds,
  });
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  process.once('SIGINT', interrupt);
  const runners = await runnersOf(Math.min(flags.workers ?? availableParallelism(), flags.runs));
  let cpuOfRuns = 0;
  try {
    const summary = await runSweep(options, {
      runners,
      shrink: flags.shrink,
      signal: interruption.signal,
      afterEach: (result, runOptions) => {
        const failed = result.violations.length > 0;
        if (failed) {
          progress.clear();
          note(describeResult(result, runOptions));
        }
        progress.ran(result.virtualMs, failed);
      },
      afterAll: () => {
        cpuOfRuns = cpuSeconds();
        progress.clear();
      },
    });
    for (const { result, shrunk } of summary.failed)
      if (shrunk !== undefined) note(describeShrunk(result.seed, shrunk));
    const interrupted = interruption.signal.aborted;
    if (flags.output === 'json') await writeJson(summaryJson(summary, cpuOfRuns, interrupted));
    else await write(summaryText(summary, cpuOfRuns));
    if (interrupted) note(`interrupted after ${summary.runs} of ${flags.runs} runs`);
    const outcome = summary.failed.length === 0 ? exitCodes.ok : exitCodes.failed;
    process.exitCode = interrupted ? exitCodes.interrupted : outcome;
  } finally {
    process.removeListener('SIGINT', interrupt);
    await Promise.all(runners.map((runner) => runner.stop()));
  }
}

function sweepOptions(flags: SimulateFlags): SweepOptions {
  const nodesOf = (seed: number): number =>
    flags.nodes === undefined ? (sizes[seed % sizes.length] as number) : Number(flags.nodes);
  return {
    firstSeed: flags.seed,
    runs: flags.runs,
    nodesOf,
    durationMs: Math.round(flags.seconds * 1e6) / 1e3,
    faults: {
      ...(flags.faults === undefined ? {} : { kinds: flags.faults }),
      ...(flags.loss === undefined ? {} : { lossChance: flags.loss }),
      ...(flags.onlyFaults === undefined ? {} : { only: flags.onlyFaults }),
    },
    ...(flags.clients === undefined ? {} : { clientsMax: flags.clients }),
    ...(flags.watchers === undefined ? {} : { watchersMax: flags.watchers }),
  };
}

async function printTrace({ firstSeed, runs: _, nodesOf, ...shared }: SweepOptions): Promise<void> {
  const { runSimulation } = await import('../simulator/simulation.js');
  const { trace } = await runSimulation({ ...shared, seed: firstSeed, nodes: nodesOf(firstSeed), verbose: true });
  for (const line of trace) process.stderr.write(`${line}\n`);
}

/** One runs here, where a profiler sees it; more are threads. */
async function runnersOf(workers: number): Promise<readonly SeedRunner[]> {
  if (workers === 1) return [(await import('../simulator/seed-runner.js')).thisThread];
  const { SeedThread } = await import('../simulator/seed-threads.js');
  return Array.from({ length: workers }, () => new SeedThread());
}

/** Seconds of CPU that all threads of this process took since. */
function cpuMeter(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1e6;
  };
}

function summaryText(summary: SweepSummary, cpuSeconds: number): string {
  const { runs, failed, virtualMs, operations, answered, entries, faults, hash } = summary;
  const seconds = virtualMs / 1000;
  const kinds = [...faults].filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`);
  return (
    `runs              ${runs}, failed ${failed.length}\n` +
    `simulated time    ${(seconds / 3600).toFixed(2)} h, ${perCpu(seconds, cpuSeconds).toFixed(0)} simulated hours per CPU hour\n` +
    `client operations ${operations}, answered ${answered}\n` +
    `writes            ${entries} committed, ${perSecond(entries, seconds).toFixed(0)} a simulated second\n` +
    `faults            ${kinds.sort().join(', ') || 'none'}\n` +
    `hash              ${hash}\n`
  );
}

function summaryJson(summary: SweepSummary, cpuSeconds: number, interrupted: boolean): unknown {
  const { failed, faults, hash, ...sums } = summary;
  const seconds = sums.virtualMs / 1000;
  return {
    hash,
    interrupted,
    ...sums,
    cpuSeconds,
    hoursPerCpuHour: perCpu(seconds, cpuSeconds),
    writesPerSecond: perSecond(sums.entries, seconds),
    faults: Object.fromEntries([...faults].sort()),
    failed: failed.map(({ result, shrunk }) => ({
      seed: result.seed,
      nodes: result.nodes,
      hash: result.hash,
      violations: result.violations,
      shrunk: shrunk ?? null,
    })),
  };
}

function perCpu(seconds: number, cpuSeconds: number): number {
  return cpuSeconds === 0 ? 0 : seconds / cpuSeconds;
}

function perSecond(count: number, seconds: number): number {
  return seconds === 0 ? 0 : count / seconds;
}

function kindsOf(text: string): readonly FaultKind[] {
  if (text === 'none') return [];
  return text.split(',').map((word) => {
    const kind = faultKinds.find((candidate) => candidate === word);
    if (kind === undefined)
      throw new InvalidArgumentError(`unknown kind of fault "${word}"; known are ${faultKinds.join(', ')}`);
    return kind;
  });
}

function indexesOf(text: string): readonly number[] {
  if (text === 'none') return [];
  const index = wholeNumber(0);
  return text.split(',').map((word) => index(word));
}

function duration(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 86_400))
    throw new InvalidArgumentError('expected seconds, more than 0 and at most 86400');
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('expected a number from 0 to 1');
  return value;
}
