// Finds load generators for etcd that are not etcd's bottleneck. With Go and the official client library (Debian:
// golang-go, golang-etcd-server-dev): our generator, gRPC frames written by hand for throughput, because the library
// takes as much of a small machine as etcd itself, and the library where requests are given up or keys filled. And
// h2load with one prepared gRPC body, which can only write or read one key.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCommand, runCommand } from './run-command.js';
import { type Measured, valueBytes, type Workload } from './subject.js';

export interface EtcdLoadGenerator {
  readonly name: string;
  /** One key for all requests. */
  readonly oneKey: boolean;
  load(workload: Workload, endpoints: readonly string[]): Promise<Measured>;
  /** Writes keys 0..keys-1; undefined where the generator cannot. */
  readonly fill: ((prefix: string, keys: number, endpoints: readonly string[]) => Promise<void>) | undefined;
}

const goPath = '/usr/share/gocode';
const h2loadStreamsMax = 100;

export async function etcdLoadGenerators(directory: string): Promise<EtcdLoadGenerator[]> {
  const found: EtcdLoadGenerator[] = [];
  const program = await buildEtcdLoad(directory);
  if (program !== undefined) found.push(goGenerator(program));
  if (await hasCommand('h2load', ['--version'])) found.push(h2loadGenerator(directory));
  return found;
}

interface GoOutput {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestGapMs: number;
  readonly errors: number;
}

/** Builds our generator on the official Go library; undefined where Go or the library is not installed. */
export async function buildEtcdLoad(directory: string): Promise<string | undefined> {
  if (!existsSync(join(goPath, 'src/go.etcd.io/etcd/clientv3')) || !(await hasCommand('go', ['version']))) {
    return undefined;
  }
  const sources = ['main.go', 'raw.go', 'watch.go', 'lease.go', 'maintenance.go'].map((name) =>
    fileURLToPath(new URL(`./etcd-load/${name}`, import.meta.url)),
  );
  const program = join(directory, 'etcd-load');
  await runCommand('go', ['build', '-o', program, ...sources], {
    environment: { GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '', GOCACHE: join(directory, 'go-cache') },
  });
  return program;
}

function goGenerator(program: string): EtcdLoadGenerator {
  const common = (endpoints: readonly string[], prefix: string): string[] => [
    ...['-endpoints', endpoints.join(','), '-connections', String(endpoints.length)],
    ...['-value-size', String(valueBytes), '-prefix', prefix],
  ];
  return {
    name: 'gRPC frames by hand (Go)',
    oneKey: false,
    load: async (workload, endpoints) => {
      const output = await runCommand(program, [
        ...common(endpoints, workload.prefix),
        ...['-in-flight', String(workload.inFlight), '-operation', workload.operation === 'put' ? 'put' : 'get-local'],
        ...['-warmup', `${workload.warmupSeconds}s`, '-duration', `${workload.durationSeconds}s`],
        ...['-timeout', `${workload.timeoutMs}ms`, '-engine', workload.impatient ? 'client' : 'raw'],
        ...(workload.keys === undefined ? [] : ['-keys', String(workload.keys)]),
        ...(workload.order === 'random' ? ['-random'] : []),
      ]);
      return JSON.parse(output) as GoOutput;
    },
    fill: async (prefix, keys, endpoints) => {
      const transactions = Math.ceil(keys / 100);
      await runCommand(program, [
        ...common(endpoints, prefix),
        ...['-operation', 'fill', '-keys', String(keys), '-total', String(transactions), '-in-flight', '20'],
        ...['-timeout', '60s'],
      ]);
    },
  };
}

function h2loadGenerator(directory: string): EtcdLoadGenerator {
  return {
    name: 'h2load, one key',
    oneKey: true,
    fill: undefined,
    load: async (workload, endpoints) => {
      const body = join(directory, `${workload.operation}.grpc`);
      const key = Buffer.from(`${workload.prefix}000000000000`);
      const message = workload.operation === 'put' ? putRequest(key) : serializableRange(key);
      writeFileSync(body, grpcFrame(message));
      const connections = Math.max(1, Math.ceil(workload.inFlight / h2loadStreamsMax));
      const method = workload.operation === 'put' ? 'Put' : 'Range';
      const output = await runCommand('h2load', [
        ...['-t', '1', '-c', String(connections), '-m', String(Math.ceil(workload.inFlight / connections))],
        ...['--warm-up-time', String(workload.warmupSeconds), '-D', String(workload.durationSeconds)],
        ...['-H', 'content-type: application/grpc', '-H', 'te: trailers', '-d', body],
        `http://${endpoints[0]}/etcdserverpb.KV/${method}`,
      ]);
      return h2loadNumbers(output, workload.durationSeconds);
    },
  };
}

/** h2load's own rate counts the warm-up's time; its number of requests does not. */
function h2loadNumbers(output: string, seconds: number): Measured {
  const requests = /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded/.exec(output);
  const mean = /time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)/.exec(output);
  const scale = { us: 0.001, ms: 1, s: 1_000 }[mean?.[2] ?? 'ms'] ?? 1;
  const succeeded = Number(requests?.[2] ?? 0);
  return {
    perSecond: succeeded / seconds,
    p50Ms: Number(mean?.[1] ?? Number.NaN) * scale,
    p99Ms: Number.NaN,
    longestGapMs: Number.NaN,
    errors: Number(requests?.[1] ?? 0) - succeeded,
  };
}

function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** etcdserverpb.PutRequest: key = 1, value = 2. */
function putRequest(key: Buffer): Buffer {
  const valueHead = Buffer.from([0x12, (valueBytes & 0x7f) | 0x80, valueBytes >> 7]);
  return Buffer.concat([Buffer.from([0x0a, key.length]), key, valueHead, Buffer.alloc(valueBytes, 'v')]);
}

/** etcdserverpb.RangeRequest: key = 1, serializable = 7. */
function serializableRange(key: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x0a, key.length]), key, Buffer.from([0x38, 1])]);
}
