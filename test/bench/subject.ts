// What the comparison does to a store, whichever it is: three nodes on this machine, started, loaded, measured, killed.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

export interface Workload {
  readonly operation: 'put' | 'getLocal';
  readonly order: 'sequential' | 'random';
  /** Size of the key range; undefined: every key is new. */
  readonly keys: number | undefined;
  /** Requests outstanding in all. */
  readonly inFlight: number;
  readonly warmupSeconds: number;
  readonly durationSeconds: number;
  /** For each request. */
  readonly timeoutMs: number;
  /** Nodes die meanwhile: a request without an answer in time is given up and the next one sent. */
  readonly impatient: boolean;
  /** Nodes that the load goes to, evenly; undefined: all of them. */
  readonly nodes?: readonly number[];
  readonly prefix: string;
}

export interface Measured {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Longest time without a successful answer. */
  readonly longestGapMs: number;
  readonly errors: number;
}

export interface Subject {
  readonly name: string;
  /** Empty directories, three processes, waits until it serves. */
  startFresh(): Promise<void>;
  /** Starts every process that does not run, and waits until a linearizable request is answered. Returns how long that took, ms. */
  restart(): Promise<number>;
  killAll(): Promise<void>;
  /** Writes keys 0..keys-1 under the prefix, once each. */
  fill(prefix: string, keys: number): Promise<void>;
  load(workload: Workload): Promise<Measured>;
  /** Drops every version but the newest, and gives the space back where there is a command for that. */
  compact(): Promise<void>;
  leader(): Promise<number>;
  kill(node: number): Promise<void>;
  /** Client addresses of all nodes. */
  endpoints(): readonly string[];
  /** Process id of each running node. */
  pids(): readonly number[];
  dataDirectories(): readonly string[];
  /** Kills everything and removes its files. */
  close(): Promise<void>;
}

export const valueBytes = 256;

/** Anonymous resident memory of a process, megabytes; mapped files are not in it. */
export function anonymousMegabytes(pid: number): number {
  const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

/** Space that the files below a directory take on disk, megabytes; holes are not counted. */
export function diskMegabytes(directory: string): number {
  let blocks = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) blocks += statSync(join(entry.parentPath, entry.name)).blocks;
  }
  return (blocks * 512) / 2 ** 20;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? Number.NaN) + upper) / 2 : upper;
}
