// `npm run bench:etcd`: the same program, built on etcd's official Go client, against three nodes of zabtree and three of
// etcd in turn, several rounds, medians, ratios. The table goes to standard output, progress to standard error.
//
//   npm run bench:etcd -- [--quick] [--rounds N] [--duration S] [--only put,get,…] [--json FILE]

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type ApiMeasure, apiMeasures, measureApi } from './etcd-api-measures.js';
import { buildEtcdLoad, etcdLoadGenerators } from './etcd-load-generator.js';
import { EtcdSubject } from './etcd-subject.js';
import { hasCommand } from './run-command.js';
import { median, type Subject } from './subject.js';
import { ZabtreeSubject } from './zabtree-subject.js';

const full = { rounds: 3, duration: 20, warmup: 4, keys: 2_000_000, leases: 100_000, revisionSeconds: 45 };
const quick = { rounds: 1, duration: 6, warmup: 2, keys: 100_000, leases: 10_000, revisionSeconds: 5 };

type Numbers = { [measure: string]: number };

function tell(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((text) => text !== '--'),
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      duration: { type: 'string' },
      only: { type: 'string' },
      subject: { type: 'string' },
      json: { type: 'string' },
    },
  });
  const base = values.quick === true ? quick : full;
  const settings = {
    ...base,
    rounds: Number(values.rounds ?? base.rounds),
    duration: Number(values.duration ?? base.duration),
    only: values.only?.split(','),
  };
  const directory = mkdtempSync(join(tmpdir(), 'zabtree-bench-api-'));
  const program = await buildEtcdLoad(directory);
  const generator = (await etcdLoadGenerators(directory)).find(({ fill }) => fill !== undefined);
  if (program === undefined || generator === undefined) {
    tell('Cannot load: install golang-go and golang-etcd-server-dev');
    process.exitCode = 1;
    return;
  }
  const subjects: Subject[] = values.subject === 'etcd' ? [] : [new ZabtreeSubject()];
  if (values.subject !== 'zabtree') {
    if (await hasCommand('etcd', ['--version'])) subjects.push(new EtcdSubject(generator));
    else tell('etcd is not installed (Debian: etcd-server): nothing to compare with');
  }
  const rounds = new Map<string, Numbers[]>(subjects.map(({ name }) => [name, []]));
  try {
    for (let round = 1; round <= settings.rounds; round++) {
      for (const subject of subjects) {
        tell(`round ${round} of ${settings.rounds}: ${subject.name}`);
        rounds.get(subject.name)?.push(await measureApi(subject, { ...settings, program, tell }));
      }
    }
  } finally {
    for (const subject of subjects) await subject.close();
    rmSync(directory, { recursive: true, force: true });
  }
  const medians = new Map([...rounds].map(([name, list]) => [name, mediansOf(list)]));
  const cores = cpus();
  process.stdout.write(
    [
      `${cores.length} cores (${cores[0]?.model ?? 'unknown'}), ${Math.round(totalmem() / 2 ** 30)} GB, Node ${process.versions.node}`,
      `3 nodes and the load generator (etcd's official Go client) on this machine, medians of ${settings.rounds} rounds`,
      '',
      table(medians.get('zabtree') ?? {}, medians.get('etcd') ?? {}),
      '',
    ].join('\n'),
  );
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify({ settings, rounds: Object.fromEntries(rounds) }, null, 2)}\n`);
  }
}

function mediansOf(rounds: readonly Numbers[]): Numbers {
  const names = new Set(rounds.flatMap((round) => Object.keys(round)));
  return Object.fromEntries([...names].map((name) => [name, median(rounds.flatMap((round) => round[name] ?? []))]));
}

function table(ours: Numbers, theirs: Numbers): string {
  const names = (Object.keys(apiMeasures) as ApiMeasure[]).filter((name) => name in ours || name in theirs);
  const rows = names.map((name) => {
    const [own, other] = [ours[name], theirs[name]];
    const ratio = own === undefined || other === undefined || other === 0 ? '' : `${(own / other).toFixed(2)} ×`;
    return [apiMeasures[name], shown(own), shown(other), ratio];
  });
  const all = [['', 'zabtree', 'etcd', 'ratio'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

function shown(value: number | undefined): string {
  if (value === undefined) return '-';
  return Math.abs(value) < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US');
}

await main();
