// `zabtree server`: one member in the foreground, in this very process. Ends on SIGTERM, SIGINT and SIGHUP, never because
// standard input or output closes.

import { writeSync } from 'node:fs';
import { inspect } from 'node:util';
import type { FlagValues } from '../../config/config-settings.js';
import { loadNodeConfig } from '../../config/load-node-config.js';
import type { NodeConfig } from '../../config/node-config.js';
import { createLog, type Log } from '../../observability/log.js';
import { type RunningServer, startServer } from '../../server/server.js';
import { DamageError } from '../../shared/damage-error.js';
import { StoreError } from '../../shared/errors.js';
import { exitCodes } from '../exit-codes.js';
import { counted, note } from '../output.js';

/** A node that cannot finish its work in this time is ended without: its log is durable at every moment. */
const closeTimeoutMs = 10_000;

export async function runServer(file: string | undefined, flags: FlagValues): Promise<void> {
  const config = loadNodeConfig({ file, environment: process.env, flags });
  await serve(config, {
    rebuildCommands: [shellWords(rebuildWords(file, flags))],
    stopped: (_signal, exitCode) => process.exit(exitCode),
    onServing: () => undefined,
  });
}

export interface ServeOptions {
  /** What rebuilds this member, for the operator of a damaged one: a line each. */
  readonly rebuildCommands: readonly string[];
  /** Everything is closed; ends the process. `signal` null: the node itself has given up. */
  readonly stopped: (signal: NodeJS.Signals | null, exitCode: number) => void;
  /** Called once: this node answers requests. */
  readonly onServing: () => void;
}

/** Runs one member in this process until a signal or its own end; returns when it is ready to take part. */
export async function serve(config: NodeConfig, { rebuildCommands, stopped, onServing }: ServeOptions): Promise<void> {
  const log = createLog({ level: config.logLevel, format: config.logFormat });
  let server: RunningServer | undefined;
  const stop = stopper(log, () => server, stopped);
  // A log that nobody reads any more must not end a member.
  process.stderr.on('error', () => undefined);
  process.stdout.removeAllListeners('error').on('error', () => undefined);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => stop({ why: signal, signal, exitCode: exitCodes.ok }));
  }
  server = await startServer({
    config,
    log,
    onServing,
    onHalt: (reason) => {
      log.error('Stopping: this node can no longer keep its promises', { reason });
      stop({ why: reason, signal: null, exitCode: exitCodes.failed });
    },
    onDamage: (error) => {
      log.error('Stopping: this node must be rebuilt', { reason: error.message });
      // The log may be written behind this; the process must end now.
      writeSync(process.stderr.fd, `zabtree: ${withRebuild(error, rebuildCommands).message}\n`);
      process.exit(exitCodes.damaged);
    },
    onCoreFailure: ({ message, cause }) => {
      log.error('Stopping: an exception inside the core', { error: cause });
      writeSync(process.stderr.fd, `zabtree: ${message}\n${inspect(cause)}\n`);
      process.exit(exitCodes.failed);
    },
  }).catch((error: unknown) => {
    if (error instanceof DamageError) throw withRebuild(error, rebuildCommands);
    // The codes of errors are for clients: a port that cannot be had is no lack of a quorum.
    throw error instanceof StoreError ? new Error(error.message, { cause: error }) : error;
  });
  note(`ready: node ${config.self.id} of ${counted(config.members.length, 'member')}, data in ${config.dataDir}`);
  const { listen } = config;
  note(`ready: elections on ${listen.election}, members on ${listen.message}, clients on ${clientAddresses(config)}`);
}

function clientAddresses({ listen, furtherListeners }: NodeConfig): string {
  const further = furtherListeners.map(
    ({ address, serves }) => `${address}${serves === 'monitors' ? ' (metrics)' : ''}`,
  );
  return [listen.request, ...further].join(', ');
}

/** The error with what to do about it. */
function withRebuild(error: DamageError, commands: readonly string[]): DamageError {
  const lines = commands.map((command) => `\n  ${command}`).join('');
  return new DamageError(
    `${error.message}\nThis node takes no part until it is rebuilt from the other members, by:${lines}`,
    { cause: error },
  );
}

function rebuildWords(file: string | undefined, flags: FlagValues): readonly string[] {
  const dataDir = flags['data-dir'] ?? process.env['ZABTREE_DATA_DIR'];
  const given = { ...flags, 'data-dir': dataDir === '' ? undefined : dataDir };
  const words = ['zabtree', 'rebuild', ...(file === undefined ? [] : ['--config', file])];
  for (const [flag, value] of Object.entries(given)) {
    if (value === true) words.push(`--${flag}`);
    else if (typeof value === 'string') words.push(`--${flag}`, value);
  }
  return words;
}

/** A command as it can be given to a shell. */
export function shellWords(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

interface Stop {
  readonly why: string;
  readonly signal: NodeJS.Signals | null;
  readonly exitCode: number;
}

/** The first call closes and ends the process; a second one ends it at once. */
function stopper(
  log: Log,
  running: () => RunningServer | undefined,
  stopped: ServeOptions['stopped'],
): (stop: Stop) => void {
  let stopping = false;
  return ({ why, signal, exitCode }) => {
    if (stopping) process.exit(exitCodes.failed);
    stopping = true;
    log.info('Stopping', { why });
    const late = setTimeout(() => {
      log.error('Stopping took too long', { closeTimeoutMs });
      process.exit(exitCodes.failed);
    }, closeTimeoutMs);
    late.unref();
    const closed = running()?.close() ?? Promise.resolve();
    closed.then(
      () => stopped(signal, exitCode),
      (error: unknown) => {
        log.error('Closing failed', { error });
        process.exit(exitCodes.failed);
      },
    );
  };
}
