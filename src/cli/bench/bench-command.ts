// `zabtree bench`: reads the options, fills the key range where asked, generates the load, prints throughput and
// latencies. Data goes to standard output, progress to standard error.

import { type Command, InvalidArgumentError, Option } from 'commander';
import { ConfigError } from '../../config/config-error.js';
import { limits } from '../../config/limits.js';
import {
  type ConnectionFlags,
  connectionOptions,
  type OutputFlags,
  outputOption,
  type Target,
  targetOf,
} from '../connection-options.js';
import { errorText, exitCodes } from '../exit-codes.js';
import { note, write, writeJson } from '../output.js';
import { benchReport } from './bench-report.js';
import { type LoadOptions, LoadRun } from './load-run.js';

/** Twelve digits of a key, less one. */
const keysMax = 1e11;

interface BenchFlags extends ConnectionFlags, OutputFlags {
  readonly connections?: number;
  readonly inFlight: number;
  readonly valueSize: number;
  readonly keys?: number;
  readonly prefix: string;
  readonly random?: boolean;
  readonly readRatio: number;
  readonly local?: boolean;
  readonly exactlyOnce?: boolean;
  readonly rate?: number;
  readonly warmup: number;
  readonly duration: number;
  readonly preload?: number;
  readonly seed: number;
}

export function registerBench(program: Command): void {
  const command = connectionOptions(program.command('bench'))
    .description('generate load and measure throughput and latency')
    .option('--connections <n>', 'connections, spread over the peers (default: one a peer)', integer(1, 1_000))
    .option('--in-flight <n>', 'requests outstanding in all', integer(1, 100_000), 100)
    .option('--value-size <bytes>', 'bytes of a value', integer(0, limits.valueBytesMax), 256)
    .option('--keys <n>', 'size of the key range (default: what was preloaded; else unbounded)', integer(1, keysMax))
    .option('--prefix <text>', 'prefix of every key', 'bench/')
    .addOption(new Option('--sequential', 'keys one after another (the default)').conflicts('random'))
    .option('--random', 'keys drawn at random from the range')
    .option('--read-ratio <share>', 'share of reads, 0 to 1', share, 0)
    .option('--local', "reads answer from the connected node's own state")
    .option('--exactly-once', 'writes carry a client id and request numbers, as the client library sends them')
    .option(
      '--rate <n>',
      'open loop: requests due each second, latency counted from when each was due',
      integer(1, 1e6),
    )
    .option('--warmup <seconds>', 'not measured', seconds, 2)
    .option('--duration <seconds>', 'measured', seconds, 10)
    .option('--preload <n>', 'first write this many keys once', integer(1, keysMax))
    .option('--seed <n>', 'of the random keys', integer(0, Number.MAX_SAFE_INTEGER), 1);
  outputOption(command).action(runBench);
}

async function runBench(flags: BenchFlags): Promise<void> {
  try {
    if (flags.random === true && (flags.keys ?? flags.preload) === undefined) {
      throw new ConfigError('Cannot draw keys at random: give --keys or --preload, the size of the range');
    }
    const target = await targetOf(flags);
    const load = loadOptionsOf(flags, target);
    if (flags.preload !== undefined) {
      const filled = await LoadRun.run({
        ...load,
        fill: true,
        keys: flags.preload,
        inFlight: Math.max(1_000, load.inFlight),
        order: 'sequential',
        ratePerSecond: undefined,
        ...progressOf('preload', flags.preload),
      });
      process.stderr.write(`preloaded ${flags.preload} keys in ${filled.seconds.toFixed(1)} s\n`);
    }
    const result = await LoadRun.run({ ...load, ...progressOf('bench') });
    if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
    if (flags.output === 'json') await writeJson({ options: shownOptions(flags, load), result });
    else await write(benchReport(result));
    process.exitCode = result.operations > 0 ? exitCodes.ok : exitCodes.unavailable;
  } catch (error) {
    note(errorText(error));
    process.exitCode = error instanceof ConfigError ? exitCodes.usage : exitCodes.unavailable;
  }
}

/** Without the password. */
function shownOptions({ user: _, ...flags }: BenchFlags, { target, connections }: LoadOptions): unknown {
  return { ...flags, peers: target.peers, connections };
}

function loadOptionsOf(flags: BenchFlags, target: Target): LoadOptions {
  return {
    target,
    connections: Math.min(flags.connections ?? target.peers.length, flags.inFlight),
    inFlight: flags.inFlight,
    keyPrefix: flags.prefix,
    valueBytes: flags.valueSize,
    keys: flags.keys ?? flags.preload ?? keysMax,
    order: flags.random === true ? 'random' : 'sequential',
    readRatio: flags.readRatio,
    localReads: flags.local === true,
    exactlyOnce: flags.exactlyOnce === true,
    ratePerSecond: flags.rate,
    warmupMs: flags.warmup * 1_000,
    durationMs: flags.duration * 1_000,
    fill: false,
    timeoutMs: flags.timeout,
    seed: flags.seed,
  };
}

/** A line that rewrites itself; only for people who look at a terminal. */
function progressOf(what: string, total?: number): Pick<LoadOptions, 'progress'> {
  if (!process.stderr.isTTY) return {};
  const of = total === undefined ? '' : ` of ${total}`;
  return {
    progress: (done, perSecond) => {
      process.stderr.write(`\r\u001b[K${what}: ${done}${of}, ${Math.round(perSecond)} per second`);
    },
  };
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(`Expected an integer in ${least}..${most}.`);
    }
    return value;
  };
}

function share(text: string): number {
  const value = Number(text);
  if (text === '' || Number.isNaN(value) || value < 0 || value > 1) {
    throw new InvalidArgumentError('Expected a number from 0 to 1.');
  }
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (text === '' || Number.isNaN(value) || value < 0 || value > 86_400) {
    throw new InvalidArgumentError('Expected seconds, 0 to 86400.');
  }
  return value;
}
