// What is measured through etcd's API, one store at a time: the same runs of the same program. Returns plain numbers;
// nothing is judged here.

import { type ApiSettings, fill, type LoopOutput, run } from './etcd-load-run.js';
import { measureMaintenance } from './maintenance-measures.js';
import { type Subject, valueBytes } from './subject.js';

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
  compactionPlain: 'puts/s, 100 clients over 20 connections, many revisions of each key',
  compactionPlainGap: '  longest time without an acknowledged put, ms',
  compactionPlainErrors: '  errors',
  compactionDisk: '  disk of a node, MB',
  compactionPuts: 'puts/s, the same, history being compacted to the revision of now',
  compactionGap: '  longest time without an acknowledged put, ms',
  compactionErrors: '  errors',
  compactionSeconds: '  compaction, seconds',
  compactionDefragmentPuts: 'puts/s, the same, all members being defragmented',
  compactionDefragmentGap: '  longest time without an acknowledged put, ms',
  compactionDefragmentErrors: '  errors',
  compactionDefragmentSeconds: '  defragmentation, seconds',
  compactionDiskAfter: '  disk of a node in the end, MB',
} as const;

export type ApiMeasure = keyof typeof apiMeasures;

const readKeys = 100_000;
const rangeBytes = 100 * 2 ** 20;

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
  if (wanted('compaction')) {
    await subject.startFresh();
    await measureMaintenance(subject, settings, note);
  }
  await subject.close();
  return numbers;
}
