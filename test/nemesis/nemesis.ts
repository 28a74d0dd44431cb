// `npm run nemesis`: real server processes under kill -9, pauses, partitions, full and damaged disks, with clients whose
// history is judged. Prints the schedule, what happens, the figures and the verdict; ends with 1 when a promise broke.
//
//   npm run nemesis -- [--minutes 10] [--nodes 3|5] [--seed N] [--network namespaces|proxy] [--keep]
//                     [--only kill,pause,…]

import { parseArgs } from 'node:util';
import { type Gap, seconds } from './chronicle.js';
import { type FaultKind, faultKinds } from './fault-plan.js';
import { type NemesisOptions, type NemesisReport, runNemesis } from './nemesis-run.js';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function options(): NemesisOptions {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((text) => text !== '--'),
    options: {
      minutes: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      seed: { type: 'string' },
      network: { type: 'string' },
      only: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const { network } = values;
  if (network !== undefined && network !== 'namespaces' && network !== 'proxy')
    throw new Error(`Cannot use --network ${network}: expected namespaces or proxy`);
  return {
    seed: values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : numberOf('seed', values.seed),
    nodes: numberOf('nodes', values.nodes),
    faultsMs: numberOf('minutes', values.minutes) * 60_000,
    network,
    only: values.only === undefined ? undefined : kindsOf(values.only),
    keep: values.keep,
    print: say,
  };
}

function kindsOf(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = faultKinds.find((known) => known === name);
    if (kind === undefined) throw new Error(`Cannot use --only ${name}: expected some of ${faultKinds.join(',')}`);
    return kind;
  });
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (text !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new Error(`Cannot use --${name} ${text}: expected a number`);
}

function tellGap(gap: Gap): void {
  const lasted = `${seconds(gap.toMs - gap.fromMs)}, ${seconds(gap.withQuorumMs)} of it with a quorum`;
  say(`  ${lasted}, until ${seconds(gap.toMs)}; before it:`);
  for (const line of gap.cause) say(`      ${line}`);
}

function tell(report: NemesisReport): void {
  const list = (counts: ReadonlyMap<string, number>): string =>
    [...counts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none';
  say('');
  say(`seed ${report.seed}, network by ${report.network}, faults for ${seconds(report.faultsMs)}`);
  say(`operations: ${list(report.operations)}`);
  say(`refused because of: ${list(report.refusals)}`);
  say(`faults: ${list(report.faults)}`);
  say(`${report.changes} changes of ${report.keys} shared keys and the counters, ${report.epochs} epochs`);
  say('longest time without an acknowledged write:');
  for (const gap of report.longestGap === undefined ? [] : [report.longestGap]) tellGap(gap);
  say('longest such times while a quorum was up and connected:');
  for (const gap of report.gaps) tellGap(gap);
  say(`judged in ${seconds(report.judgedMs)}`);
  for (const { property, detail } of report.violations) say(`BROKEN: ${property}: ${detail}`);
  say(
    report.violations.length === 0
      ? 'The history is linearizable, no acknowledged write is lost, all nodes agree.'
      : `${report.violations.length} promises were broken.`,
  );
}

const report = await runNemesis(options());
tell(report);
process.exitCode = report.violations.length === 0 ? 0 : 1;
