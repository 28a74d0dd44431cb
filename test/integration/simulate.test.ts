// `zabtree simulate` as a user runs it: the same outcome in every process and with any number of threads, errors for bad
// values, progress, and a summary when it is interrupted.

import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { runZabtree } from '../harness/run-zabtree.js';

interface Summary {
  readonly hash: string;
  readonly runs: number;
  readonly interrupted: boolean;
  readonly hoursPerCpuHour: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly failed: readonly unknown[];
}

async function summary(...args: string[]): Promise<Summary> {
  const { code, stdout, stderr } = await runZabtree(['simulate', '--seconds', '3', '-o', 'json', ...args]);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Summary;
}

test('the outcome is that of the seeds, in every process and with any number of threads', async () => {
  const alone = await summary('--seed', '7', '--runs', '4', '--workers', '1');
  const together = await summary('--seed', '7', '--runs', '4', '--workers', '3');
  const { cpuSeconds: _, hoursPerCpuHour: __, ...same } = alone as Summary & { readonly cpuSeconds: number };
  expect(together).toMatchObject(same);
  expect(alone).toMatchObject({ runs: 4, failed: [], interrupted: false });
  expect(alone.hoursPerCpuHour).toBeGreaterThan(0);
  expect((await summary('--seed', '8', '--runs', '4')).hash).not.toBe(alone.hash);
});

test('a single run has its own hash, with and without its trace', async () => {
  const run = ['--seed', '7', '--nodes', '3'];
  const { hash } = await summary(...run);
  const traced = await runZabtree(['simulate', '--seconds', '3', '-o', 'json', '--trace', ...run]);
  expect((JSON.parse(traced.stdout) as Summary).hash).toBe(hash);
  expect(traced.stderr.split('\n').length).toBeGreaterThan(100);
  expect((await summary(...run, '--only-faults', 'none')).faults).toEqual({});
});

test.each([
  [['--nodes', '4'], '--nodes'],
  [['--seconds', '0'], 'expected seconds'],
  [['--runs', '0'], '--runs'],
  [['--workers', 'many'], '--workers'],
  [['--faults', 'crash,fire'], 'unknown kind of fault "fire"'],
  [['--only-faults', '1,x'], '--only-faults'],
  [['--runs', '2', '--trace'], '--trace is about one run, and --runs says 2'],
  [['--runs', '2', '--only-faults', '1'], '--only-faults is about one run'],
])('%j is refused', async (args, reason) => {
  const { code, stdout, stderr } = await runZabtree(['simulate', ...args]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain(reason);
});

test.each(['1', '2'])('Ctrl-C with %s threads ends with a summary of what was run', async (workers) => {
  const args = ['simulate', '--runs', '1000000', '--seconds', '1', '-o', 'json', '--workers', workers];
  const child = spawn(process.execPath, [zabtreeExecutable, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  try {
    await until('a line of progress', { timeoutMs: 60_000 }, () => /^\d+\/1000000 runs, 0 failed/m.exec(stderr)?.[0]);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
  } finally {
    child.kill('SIGKILL');
  }
  const { runs, interrupted, failed } = JSON.parse(stdout) as Summary;
  expect({ interrupted, failed }).toEqual({ interrupted: true, failed: [] });
  expect(runs).toBeGreaterThan(0);
  expect(stderr).toContain(`interrupted after ${runs} of 1000000 runs`);
});
