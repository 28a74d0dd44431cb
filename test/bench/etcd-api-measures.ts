// What is measured through etcd's API, one store at a time: the same runs of the same program. Returns plain numbers;
// nothing is judged here.

import { runCommand } from './run-command.js';
import { anonymousMegabytes, type Subject, valueBytes } from './subject.js';

export const apiMeasures = {
  put: 'puts/s, 1000 clients over 100 connections',
  putP99: '  p99, ms',
  get: 'linearizable gets/s, 1000 clients over 100 connections',
  getP99: '  p99, ms',
  getLocal: 'serializable gets/s, 1000 clients over 100 connections',
  getLocalP99: '  p99, ms',
  compareAndPut: 'compare-and-put transactions/s, 100 clients',
  compareAndPutP99: '  p99, ms',
  watchDelivered: 'watch events of those expected, per cent (10,000 + 100 watchers, 1000 writes/s)',
  watchOutOfOrder: '  out of order',
  watchP99: '  p99 from put to delivery, ms',
  watchMemory: '  greatest anonymous memory of a node, MB',
  leaseGrants: 'leases granted (and a key put) a second',
  leaseKept: 'leases kept alive a second, one request each',
  leaseEarly: 'leases that expired early',
  leaseLateP99: '  late at expiry, p99, ms',
  rangeSeconds: 'range read of 100 MB, seconds (2 million keys in the store)',
  rangeMemory: '  greatest anonymous memory of a node, MB',
} as const;

export type ApiMeasure = keyof typeof apiMeasures;

export interface ApiSettings {
  readonly program: string;
  readonly duration: number;
  readonly warmup: number;
  /** Keys in the store for the large range. */
  readonly keys: number;
  readonly leases: number;
  /** Names of the groups to measure; undefined = all. */
  readonly only: readonly string[] | undefined;
  readonly tell: (text: string) => void;
}

const readKeys = 100_000;
const rangeBytes = 100 * 2 ** 20;
const sampleMs = 20;

interface LoopOutput {
  readonly perSecond: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly firstError?: string;
}

type Numbers = { [Name in ApiMeasure]?: number };

export async function measureApi(subject: Subject, settings: ApiSettings): Promise<Numbers> {
  const { tell, only } = settings;
  const numbers: Numbers = {};
  const note = (name: ApiMeasure, value: number): void => {
    numbers[name] = value;
    tell(`${subject.name}: ${apiMeasures[name].trim()}: ${value.toFixed(value < 100 ? 1 : 0)}`);
  };
  const wanted = (group: string): boolean => only === undefined || only.includes(group);
  const loop = async (args: readonly string[], name: ApiMeasure, p99: ApiMeasure): Promise<void> => {
    const output = await run<LoopOutput>(subject, settings, [
      ...['-warmup', `${settings.warmup}s`, '-duration', `${settings.duration}s`, '-timeout', '10s', ...args],
    ]);
    if (output.errors > 0) tell(`${subject.name}: ${output.errors} errors, the first: ${output.firstError}`);
    note(name, output.perSecond);
    note(p99, output.p99Ms);
  };
  const many = ['-connections', '100', '-in-flight', '1000'];

  await subject.startFresh();
  if (wanted('put')) await loop(['-operation', 'put', '-prefix', 'put/', ...many], 'put', 'putP99');
  if (wanted('get')) {
    await fill(subject, settings, 'get/', readKeys);
    const read = ['-prefix', 'get/', '-random', '-keys', String(readKeys), ...many];
    await loop(['-operation', 'get', ...read], 'get', 'getP99');
    await loop(['-operation', 'get-local', ...read], 'getLocal', 'getLocalP99');
  }
  if (wanted('transaction')) {
    const few = ['-connections', '10', '-in-flight', '100', '-keys', '10000', '-random'];
    await loop(['-operation', 'compare-and-put', '-prefix', 'txn/', ...few], 'compareAndPut', 'compareAndPutP99');
  }
  if (wanted('watch')) {
    await subject.startFresh();
    const seen = await run<{
      readonly delivered: number;
      readonly expected: number;
      readonly outOfOrder: number;
      readonly p99Ms: number;
    }>(
      subject,
      settings,
      ['-operation', 'watch', '-prefix', 'watch/', '-duration', `${settings.duration}s`],
      (megabytes) => note('watchMemory', megabytes),
    );
    note('watchDelivered', (100 * seen.delivered) / seen.expected);
    note('watchOutOfOrder', seen.outOfOrder);
    note('watchP99', seen.p99Ms);
  }
  if (wanted('lease')) {
    await subject.startFresh();
    const seen = await run<{
      readonly grantsPerSecond: number;
      readonly keptPerSecond: number;
      readonly expired: number;
      readonly granted: number;
      readonly early: number;
      readonly lateP99Ms: number;
      readonly firstError?: string;
    }>(subject, settings, [
      ...['-operation', 'lease', '-prefix', 'lease/', '-leases', String(settings.leases), '-ttl', '60'],
      ...['-connections', '10', '-in-flight', '500', '-timeout', '120s'],
    ]);
    if (seen.firstError !== undefined) tell(`${subject.name}: leases: ${seen.firstError}`);
    if (seen.expired < seen.granted) tell(`${subject.name}: only ${seen.expired} of ${seen.granted} leases expired`);
    note('leaseGrants', seen.grantsPerSecond);
    note('leaseKept', seen.keptPerSecond);
    note('leaseEarly', seen.early);
    note('leaseLateP99', seen.lateP99Ms);
  }
  if (wanted('range')) {
    await subject.startFresh();
    await fill(subject, settings, 'range/', settings.keys);
    const records = Math.floor(rangeBytes / (valueBytes + 'range/'.length + 12));
    const seen = await run<{ readonly seconds: number }>(
      subject,
      settings,
      ['-operation', 'range', '-prefix', 'range/', '-total', String(records), '-timeout', '120s'],
      (megabytes) => note('rangeMemory', megabytes),
    );
    note('rangeSeconds', seen.seconds);
  }
  await subject.close();
  return numbers;
}

async function fill(subject: Subject, settings: ApiSettings, prefix: string, keys: number): Promise<void> {
  const transactions = Math.ceil(keys / 100);
  await run(subject, settings, [
    ...['-operation', 'fill', '-prefix', prefix, '-keys', String(keys), '-total', String(transactions)],
    ...['-connections', '3', '-in-flight', '20', '-timeout', '60s'],
  ]);
}

/** Runs the program to its end; `memory` is told the greatest anonymous memory that any node had meanwhile. */
async function run<T>(
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
