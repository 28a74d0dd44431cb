// `npm run bench:compare`: the same work on three nodes of zabtree and three of etcd, in turn, several rounds, medians,
// ratios. The table goes to standard output, progress to standard error, and everything as JSON to a file when asked.
//
//   npm run bench:compare -- [--quick] [--rounds N] [--duration S] [--keys N] [--kills N] [--only zabtree|etcd] [--json FILE]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type CompareSettings,
  type MeasureName,
  measureRound,
  measures,
  type RoundNumbers,
} from './compare-measures.js';
import { type EtcdLoadGenerator, etcdLoadGenerators } from './etcd-load-generator.js';
import { EtcdSubject } from './etcd-subject.js';
import { hasCommand } from './run-command.js';
import { median, type Subject, valueBytes } from './subject.js';
import { ZabtreeSubject } from './zabtree-subject.js';

/** An etcd that is slower than this on the machine was held back by something else, so that a ratio says nothing. */
const etcdPutsPerSecondMin = 8_000;

const full = { rounds: 3, duration: 60, warmup: 5, keys: 1_000_000, kills: 10 };
const quick = { rounds: 1, duration: 8, warmup: 2, keys: 100_000, kills: 3 };

interface Plan extends CompareSettings {
  readonly rounds: number;
  readonly only: string | undefined;
  readonly json: string | undefined;
}

function plan(): Plan {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((text) => text !== '--'),
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      duration: { type: 'string' },
      warmup: { type: 'string' },
      keys: { type: 'string' },
      kills: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const base = values.quick === true ? quick : full;
  return {
    rounds: Number(values.rounds ?? base.rounds),
    durationSeconds: Number(values.duration ?? base.duration),
    warmupSeconds: Number(values.warmup ?? base.warmup),
    keys: Number(values.keys ?? base.keys),
    leaderKills: Number(values.kills ?? base.kills),
    only: values.only,
    json: values.json,
  };
}

function tell(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function subjectsOf(wanted: string | undefined, directory: string): Promise<Subject[]> {
  const subjects: Subject[] = [];
  if (wanted !== 'etcd') subjects.push(new ZabtreeSubject());
  if (wanted === 'zabtree') return subjects;
  if (!(await hasCommand('etcd', ['--version'])) || !(await hasCommand('etcdctl', ['version']))) {
    tell('etcd is not installed (Debian: etcd-server, etcd-client): nothing to compare with');
    return subjects;
  }
  const generators = await etcdLoadGenerators(directory);
  const capable = generators.find((generator) => generator.fill !== undefined);
  if (capable === undefined) {
    tell('no load generator for etcd that can fill it: install golang-go and golang-etcd-server-dev');
    return subjects;
  }
  tell(`load generator of etcd: ${capable.name}`);
  subjects.push(new EtcdSubject(capable));
  return subjects;
}

/** etcd behind a generator that costs almost nothing but writes one key only: how far it goes at most. */
async function etcdCeiling(generator: EtcdLoadGenerator, settings: Plan): Promise<number> {
  const subject = new EtcdSubject(generator);
  try {
    await subject.startFresh();
    const measured = await subject.load({
      operation: 'put',
      order: 'sequential',
      keys: undefined,
      inFlight: 1000,
      warmupSeconds: Math.ceil(settings.warmupSeconds),
      durationSeconds: Math.ceil(settings.durationSeconds),
      timeoutMs: 10_000,
      impatient: false,
      nodes: [await subject.leader()],
      prefix: 'ceiling/',
    });
    tell(`etcd: puts of one key by h2load, 1000 outstanding, to the leader: ${measured.perSecond.toFixed(0)} writes/s`);
    return measured.perSecond;
  } finally {
    await subject.close();
  }
}

type Medians = Partial<Record<MeasureName, number>>;

function mediansOf(rounds: readonly RoundNumbers[]): Medians {
  const medians: Medians = {};
  for (const name of Object.keys(measures) as MeasureName[]) {
    const values = rounds.flatMap((round) => round[name] ?? []);
    if (values.length > 0) medians[name] = median(values);
  }
  return medians;
}

function table(ours: Medians, theirs: Medians | undefined, isVoid: boolean): string {
  const rows = (Object.keys(measures) as MeasureName[]).map((name) => {
    const { title, unit, better } = measures[name];
    const [own, other] = [ours[name], theirs?.[name]];
    const ratio = own === undefined || other === undefined ? '' : `${(own / other).toFixed(2)} ×`;
    const voided = isVoid && better === 'more' && ratio !== '' ? 'void' : ratio;
    return [
      `${title}, ${unit}`,
      number(own),
      number(other),
      voided,
      better === 'more' ? 'more is better' : 'less is better',
    ];
  });
  const all = [['', 'zabtree', 'etcd', 'ratio', ''], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

function number(value: number | undefined): string {
  if (value === undefined) return '-';
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
}

async function main(): Promise<void> {
  const settings = plan();
  const directory = mkdtempSync(join(tmpdir(), 'zabtree-compare-'));
  const subjects = await subjectsOf(settings.only, directory);
  const rounds = new Map<string, RoundNumbers[]>(subjects.map((subject) => [subject.name, []]));
  let ceiling: number | undefined;
  try {
    for (let round = 1; round <= settings.rounds; round++) {
      for (const subject of subjects) {
        tell(`round ${round} of ${settings.rounds}: ${subject.name}`);
        rounds.get(subject.name)?.push(await measureRound(subject, settings, tell));
      }
    }
    const h2load = subjects.some(({ name }) => name === 'etcd')
      ? (await etcdLoadGenerators(directory)).find(({ oneKey }) => oneKey)
      : undefined;
    if (h2load !== undefined) ceiling = await etcdCeiling(h2load, settings);
  } finally {
    for (const subject of subjects) await subject.close();
    rmSync(directory, { recursive: true, force: true });
  }
  const ours = mediansOf(rounds.get('zabtree') ?? []);
  const theirRounds = rounds.get('etcd');
  const theirs = theirRounds === undefined ? undefined : mediansOf(theirRounds);
  const isVoid = theirs !== undefined && (theirs.sequential1000 ?? 0) < etcdPutsPerSecondMin;
  const cores = cpus();
  process.stdout.write(
    [
      `${cores.length} cores (${cores[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`,
      `3 nodes and the load generator on this machine, values of ${valueBytes} bytes, ${settings.keys.toLocaleString('en-US')} keys preloaded,`,
      `${settings.durationSeconds} s each, medians of ${settings.rounds} rounds, every write fsynced on a quorum before it is acknowledged`,
      '',
      table(ours, theirs, isVoid),
      '',
    ].join('\n'),
  );
  if (isVoid) {
    process.stdout.write(
      `\nVOID: etcd made ${number(theirs?.sequential1000)} puts/s with 1000 outstanding, under ${etcdPutsPerSecondMin}: something else held it back.\n`,
    );
  }
  if (ceiling !== undefined) {
    process.stdout.write(
      `\netcd with h2load (one prepared body, so one key; to the leader alone): ${number(ceiling)} writes/s; sequential inserts are ${((ours.sequential1000 ?? 0) / ceiling).toFixed(2)} × that\n`,
    );
  }
  const report = { settings, rounds: Object.fromEntries(rounds), ours, theirs, isVoid, etcdOneKeyH2load: ceiling };
  if (settings.json !== undefined) writeFileSync(settings.json, `${JSON.stringify(report, null, 2)}\n`);
}

await main();
