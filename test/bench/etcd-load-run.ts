// Runs of the load program on etcd's official Go client, against whichever store: how it is called, and what it prints.
// Measures the memory of nodes meanwhile; judges nothing.

import { runCommand } from './run-command.js';
import { anonymousMegabytes, type Subject, valueBytes } from './subject.js';

export interface ApiSettings {
  readonly program: string;
  readonly duration: number;
  readonly warmup: number;
  /** Keys in the store for the large range. */
  readonly keys: number;
  readonly leases: number;
  /** How long keys are written over and over before history is compacted. */
  readonly revisionSeconds: number;
  /** Names of the groups to measure; undefined = all. */
  readonly only: readonly string[] | undefined;
  readonly tell: (text: string) => void;
}

const sampleMs = 20;

export interface LoopOutput {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly longestGapMs: number;
  readonly errors: number;
  readonly firstError?: string;
  /** How long what was done to the store meanwhile took. */
  readonly maintenanceSeconds?: number;
}

export async function fill(subject: Subject, settings: ApiSettings, prefix: string, keys: number): Promise<void> {
  const transactions = Math.ceil(keys / 100);
  await run(subject, settings, [
    ...['-operation', 'fill', '-prefix', prefix, '-keys', String(keys), '-total', String(transactions)],
    ...['-connections', '3', '-in-flight', '20', '-timeout', '60s'],
  ]);
}

/** Runs the program to its end; `memory` is told the greatest anonymous memory that any node had meanwhile. */
export async function run<T>(
  subject: Subject,
  settings: ApiSettings,
  args: readonly string[],
  memory?: (megabytes: number) => void,
): Promise<T> {
  let most = 0;
  const sample = (): void => {
    most = Math.max(most, ...subject.pids().map(anonymousMegabytes));
  };
  const timer = memory === undefined ? undefined : setInterval(sample, sampleMs);
  try {
    const common = ['-endpoints', subject.endpoints().join(','), '-value-size', String(valueBytes)];
    const output = await runCommand(settings.program, [...common, ...args]);
    memory?.(most);
    return JSON.parse(output) as T;
  } finally {
    clearInterval(timer);
  }
}
