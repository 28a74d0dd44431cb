// `zabtree demo`, what `npm start` runs: starts a real ensemble in a temporary directory, tells the story, opens the REPL
// on a terminal, and leaves neither a process nor a file behind, however it ends.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { LocalEnsemble, zabtreeExecutable } from '../local-ensemble/local-ensemble.js';
import { demoAddresses } from './demo-addresses.js';
import { DemoScreen } from './demo-screen.js';
import { DemoStory } from './demo-story.js';

interface DemoFlags {
  readonly keys: number;
  readonly inFlight: number;
  readonly repl: boolean;
}

const parentLookMs = 500;

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('three nodes, a load, a dead leader, and the proof that nothing was lost')
    .option('--keys <n>', 'keys to write', count, 20_000)
    .option('--in-flight <n>', 'writes outstanding at a time', count, 100)
    .option('--no-repl', 'do not open the REPL at the end')
    .action(runDemo);
}

async function runDemo(flags: DemoFlags): Promise<void> {
  const screen = new DemoScreen(process.stdout);
  const directory = mkdtempSync(join(tmpdir(), 'zabtree-demo-'));
  const removeDirectory = (): void => rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
  const { addresses, taken } = await demoAddresses();
  const ensemble = await LocalEnsemble.create({
    nodes: addresses.length,
    directory,
    addresses,
    onDeath: removeDirectory,
  });
  const stopWatchingParent = dieWithParent();
  let logs = '';
  try {
    screen.line(`zabtree demo: configurations, logs and data are in ${directory} while it runs`);
    if (taken.length > 0) screen.line(`${taken.join(', ')} of config/demo/ is taken: free ports are used instead`);
    const failedChecks = await new DemoStory(ensemble, screen, flags).tell();
    process.exitCode = failedChecks === 0 ? 0 : 1;
    if (failedChecks > 0) logs = endOfLogs(ensemble);
    if (flags.repl && process.stdin.isTTY && process.stdout.isTTY) await openRepl(ensemble, screen);
  } catch (error) {
    logs = endOfLogs(ensemble);
    screen.verdict(false, error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  } finally {
    stopWatchingParent();
    await ensemble.stop();
    removeDirectory();
    screen.line('all nodes are stopped');
    if (logs !== '') process.stderr.write(logs);
  }
}

/** When the npm or shell that started the demo is gone, nobody looks any more: end as if it had been interrupted. */
function dieWithParent(): () => void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid !== parent) process.kill(process.pid, 'SIGTERM');
  }, parentLookMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** The REPL is a process of its own on this terminal; Ctrl-C is for it alone meanwhile. */
async function openRepl(ensemble: LocalEnsemble, screen: DemoScreen): Promise<void> {
  screen.heading('Your turn: the three nodes still run');
  screen.line('Choose a node by its number, then Add, Set, Delete or Get; `help` says more, `exit` stops everything.');
  const others = process.listeners('SIGINT');
  const ignore = (): void => undefined;
  for (const listener of others) process.removeListener('SIGINT', listener);
  process.on('SIGINT', ignore);
  try {
    const child = spawn(process.execPath, [zabtreeExecutable, 'client', '--config', ensemble.clientFile], {
      stdio: 'inherit',
    });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', () => resolve());
    });
  } finally {
    process.removeListener('SIGINT', ignore);
    for (const listener of others) process.on('SIGINT', listener);
  }
}

function endOfLogs(ensemble: LocalEnsemble): string {
  const tailBytes = 4_000;
  return ensemble.nodes.map((node) => `--- the end of ${node.name}'s log\n${node.log().slice(-tailBytes)}\n`).join('');
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10_000_000) {
    throw new InvalidArgumentError('expected a whole number in 1..10000000.');
  }
  return value;
}
