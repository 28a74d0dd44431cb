// `zabtree demo`, which `npm start` runs: it succeeds, and it leaves nothing behind, also when it is interrupted.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { hasTerminal, Terminal } from '../harness/terminal.js';

interface RunningDemo {
  text(): string;
  interrupt(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

function startDemo(keys: number): RunningDemo {
  const child = spawn(process.execPath, [zabtreeExecutable, 'demo', '--keys', String(keys)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 100_000,
    killSignal: 'SIGKILL',
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
  }
  return {
    text: () => text,
    interrupt: (signal) => child.kill(signal),
    ended: new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal))),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    // No such process: that is the question.
    return false;
  }
}

async function expectNothingLeft(text: string): Promise<void> {
  const pids = [...text.matchAll(/pid (\d+)/g)].map((match) => Number(match[1]));
  expect(pids).toHaveLength(3);
  await until('the end of the servers', { timeoutMs: 5_000 }, () => !pids.some(isAlive) || undefined);
  const directory = /are in (\S+) while/.exec(text)?.[1] ?? '';
  expect(directory).not.toBe('');
  expect(existsSync(directory)).toBe(false);
}

test('the demo succeeds without a terminal and leaves nothing behind', async () => {
  const demo = startDemo(2_000);
  const ended = await demo.ended;
  expect(ended, demo.text()).toBe(0);
  expect(demo.text()).toMatch(/nothing was lost/);
  expect(demo.text()).toMatch(/leads in epoch 2/);
  await expectNothingLeft(demo.text());
});

// One after the other: both would take the same ports, which they like best.
test.each(['SIGINT', 'SIGTERM'] as const)('a demo interrupted by %s leaves nothing behind', async (signal) => {
  const demo = startDemo(1_000_000);
  await until('the load', { timeoutMs: 60_000 }, () => demo.text().includes('\n2. ') || undefined);
  demo.interrupt(signal);
  expect(await demo.ended).toBe(signal);
  await expectNothingLeft(demo.text());
});

test.skipIf(!hasTerminal)('on a terminal the demo ends in the REPL, and exit stops everything', async () => {
  const terminal = new Terminal([process.execPath, zabtreeExecutable, 'demo', '--keys', '1000']);
  try {
    await terminal.see(/nothing was lost/, 60_000);
    await terminal.see(/Select Host \(number\)/);
    terminal.type('2');
    await terminal.see(/Enter command/);
    terminal.type('Get demo/000000999');
    await terminal.see(/Result = value-999, len\(result\) = 9/);
    terminal.type('exit');
    expect(await terminal.ended()).toBe(0);
  } finally {
    terminal.kill();
  }
  await expectNothingLeft(terminal.shown);
});
