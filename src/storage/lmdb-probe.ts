// Has a process of its own read a whole LMDB tree, and judges by its end: a damaged page ends a process with a signal,
// which no code of ours could report from inside. Used at a boot after one that may have ended so.

import { spawn } from 'node:child_process';
import { StoreError } from '../shared/errors.js';
import { probeDamageExit } from './lmdb-probe-exit.js';

/** LMDB can go round in circles in damaged pages. */
const timeoutMs = 600_000;
const outputCharsMax = 4_000;
/** Sent by the system to a process that touches what is not there, or by LMDB's assertions. */
const crashSignals: readonly NodeJS.Signals[] = ['SIGSEGV', 'SIGBUS', 'SIGABRT', 'SIGILL', 'SIGFPE'];
const entryPoint = new URL('./lmdb-probe-process.js', import.meta.url);

/** What the process runs; sources, in tests, go through a loader that reads them. */
function processArguments(directory: string): string[] {
  if (!import.meta.url.endsWith('.ts')) return [entryPoint.pathname, directory];
  const file = JSON.stringify(entryPoint.href.replace(/js$/, 'ts'));
  const script = `import('tsx/esm/api').then((api) => api.tsImport(${file}, ${file}));`;
  return ['--input-type=module', '--eval', script, directory];
}

/** The error is CORRUPT when the tree is damaged; any other says that the probe could not be made. */
export function probeTree(directory: string, done: (error: Error | null) => void): void {
  const child = spawn(process.execPath, processArguments(directory), {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  let said = '';
  const take = (text: string): void => {
    if (said.length < outputCharsMax) said += text;
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  let ended = false;
  const end = (error: Error | null): void => {
    if (ended) return;
    ended = true;
    done(error);
  };
  child.once('error', (error) =>
    end(new Error(`Cannot check tree "${directory}": ${error.message}`, { cause: error })),
  );
  child.once('close', (code, signal) => end(verdict(directory, { code, signal, said: said.trim() })));
}

function verdict(
  directory: string,
  {
    code,
    signal,
    said,
  }: { readonly code: number | null; readonly signal: NodeJS.Signals | null; readonly said: string },
): Error | null {
  if (code === 0) return null;
  if (code === probeDamageExit) return new StoreError('CORRUPT', said);
  if (signal !== null && crashSignals.includes(signal)) {
    return new StoreError('CORRUPT', `Cannot open tree "${directory}": reading it ends a process with ${signal}`);
  }
  return new Error(`Cannot check tree "${directory}": the check ended with ${signal ?? `code ${code}`}: ${said}`);
}
