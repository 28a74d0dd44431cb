// `zabtree simulate`: runs simulated ensembles, one a seed, and says which invariants held. The simulator itself is only
// loaded when it runs. Results go to standard output, progress and traces to standard error.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { type FaultKind, faultKinds } from '../simulator/run-plan.js';
import { wholeNumber } from './connection-options.js';
import { exitCodes } from './exit-codes.js';
import { note, write, writeJson } from './output.js';

interface SimulateFlags {
  readonly seed: number;
  readonly runs: number;
  readonly nodes?: string;
  readonly seconds: number;
  readonly loss?: number;
  readonly faults?: readonly FaultKind[];
  readonly trace?: boolean;
  readonly output: 'text' | 'json';
}

export function registerSimulate(program: Command): void {
  program
    .command('simulate')
    .description('run whole ensembles on virtual time with faults, and check that they keep their promises')
    .option('--seed <n>', 'first seed; a seed decides everything', wholeNumber(0), 1)
    .option('--runs <n>', 'seeds to run, one after another', wholeNumber(1), 1)
    .addOption(new Option('--nodes <n>', 'members (default: 3 for odd seeds, 5 for even ones)').choices(['3', '5']))
    .option('--seconds <s>', 'virtual time with faults, before everything heals', duration, 5)
    .option('--loss <share>', 'share of election datagrams lost, 0 to 1 (default: drawn)', share)
    .option('--faults <kinds>', 'only these kinds, separated by commas; "none" for none', kindsOf)
    .option('--trace', 'print everything that happened (of one run)')
    .addOption(new Option('-o, --output <format>', 'format of the summary').choices(['text', 'json']).default('text'))
    .action((flags: SimulateFlags) => runSimulate(flags));
}

async function runSimulate(flags: SimulateFlags): Promise<void> {
  const [{ runSimulation }, { describeFailure, runSweep }] = await Promise.all([
    import('../simulator/simulation.js'),
    import('../simulator/seed-sweep.js'),
  ]);
  const durationMs = flags.seconds * 1000;
  const nodesOf = (seed: number): number =>
    flags.nodes === undefined ? (seed % 2 === 1 ? 3 : 5) : Number(flags.nodes);
  const faults = {
    ...(flags.faults === undefined ? {} : { kinds: flags.faults }),
    ...(flags.loss === undefined ? {} : { lossChance: flags.loss }),
  };
  if (flags.trace === true) {
    const { trace } = await runSimulation({
      seed: flags.seed,
      nodes: nodesOf(flags.seed),
      durationMs,
      faults,
      verbose: true,
    });
    for (const line of trace) process.stderr.write(`${line}\n`);
  }
  const cpu = process.cpuUsage();
  let last = '';
  const summary = await runSweep({ firstSeed: flags.seed, runs: flags.runs, nodesOf, durationMs, faults }, (result) => {
    last = result.hash;
    if (result.violations.length > 0) note(describeFailure(result, durationMs));
  });
  const { user, system } = process.cpuUsage(cpu);
  const cpuSeconds = (user + system) / 1e6;
  const { failed, faults: struck, ...sums } = summary;
  const hoursPerCpuHour = sums.virtualMs / 1000 / cpuSeconds;
  if (flags.output === 'json') {
    const violations = failed.map((result) => ({
      seed: result.seed,
      nodes: result.nodes,
      violations: result.violations,
    }));
    await writeJson({
      ...sums,
      lastHash: last,
      faults: Object.fromEntries(struck),
      cpuSeconds,
      hoursPerCpuHour,
      failed: violations,
    });
  } else {
    const kinds = [...struck].filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`);
    await write(
      `runs              ${sums.runs}, failed ${failed.length}\n` +
        `virtual time      ${(sums.virtualMs / 1000).toFixed(1)} s, ${hoursPerCpuHour.toFixed(0)} times faster than the clock\n` +
        `client operations ${sums.operations}, answered ${sums.answered}\n` +
        `committed entries ${sums.entries}\n` +
        `faults            ${kinds.join(', ') || 'none'}\n` +
        `last trace hash   ${last}\n`,
    );
  }
  process.exitCode = failed.length === 0 ? exitCodes.ok : exitCodes.failed;
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
