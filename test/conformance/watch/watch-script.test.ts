// The same changes and the same watches on etcd and on zabtree's service Watch alone: both have to tell the same, to the
// letter of every refusal. How events are packed into responses is each server's own business.

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { Revision } from '../../../src/shared/ids.js';
import { until } from '../../support/until.js';
import { WatchPort } from '../../support/watch-port.js';
import { WatchLog } from '../differential/watch-log.js';
import type { Plain } from '../etcd-messages.js';
import { EtcdProcess, isInstalled } from '../etcd-process.js';
import { GrpcEndpoint } from '../grpc-endpoint.js';

/** A server that is written to in its own way. */
interface Subject {
  put(key: string, value: string): Promise<unknown>;
  remove(key: string): Promise<unknown>;
  compact(revision: number): Promise<unknown>;
}

function etcdSubject(endpoint: GrpcEndpoint): Subject {
  return {
    put: (key, value) => endpoint.call('/etcdserverpb.KV/Put', { key, value }),
    remove: (key) => endpoint.call('/etcdserverpb.KV/DeleteRange', { key }),
    compact: (revision) => endpoint.call('/etcdserverpb.KV/Compact', { revision: String(revision), physical: true }),
  };
}

function zabtreeSubject(port: WatchPort): Subject {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');
  return {
    put: (key, value) => port.write({ type: 'set', key: bytes(key), value: bytes(value) }),
    remove: (key) => port.write({ type: 'delete', key: bytes(key) }),
    compact: (revision) => port.write({ type: 'compact', revision: revision as Revision }),
  };
}

type Step =
  | { readonly put: string; readonly value: string }
  | { readonly remove: string }
  | { readonly compact: number }
  | { readonly create: Plain }
  | { readonly cancel: number }
  /** Both have told the same so far. */
  | 'agree';

const put = (key: string, value: string): Step => ({ put: key, value });
const create = (request: Plain): Step => ({ create: request });

/** A store of ten revisions, watched in every way from the past and from now on, compacted, and watched again. */
const script: readonly Step[] = [
  ...['1', '2', '3'].map((value) => put('a', value)),
  { remove: 'a' },
  put('b', 'x'),
  put('a', '4'),
  put('ab', 'long'.repeat(100)),
  { remove: 'b' },
  put('c', ''),
  create({ key: 'a', start_revision: '2', prev_kv: true }),
  create({ key: 'a', range_end: 'b', prev_kv: true }),
  create({ key: '', range_end: '\0', start_revision: '3', filters: ['NOPUT'], prev_kv: true }),
  create({ key: 'a', range_end: 'c', start_revision: '1', filters: ['NODELETE'] }),
  create({ key: 'a', start_revision: '2', filters: ['NOPUT', 'NODELETE'] }),
  create({ key: '', start_revision: '2' }),
  create({ key: 'b', range_end: '\0', start_revision: '13', progress_notify: true }),
  create({ key: 'a', range_end: 'a' }),
  create({ key: 'b', range_end: 'a', watch_id: '4' }),
  create({ key: 'a', watch_id: '3' }),
  create({ key: 'a', watch_id: '77', fragment: true }),
  create({ key: 'a', watch_id: '-9' }),
  create({ key: 'c' }),
  'agree',
  put('a', '5'),
  put('b', 'y'),
  put('b', 'z'),
  { remove: 'a' },
  put('\0', 'least'),
  put('c', 'set'),
  'agree',
  { cancel: 0 },
  { cancel: 1234 },
  put('a', '6'),
  create({ key: 'a', start_revision: '15' }),
  'agree',
  { compact: 12 },
  create({ key: 'a', start_revision: '5' }),
  create({ key: 'a', start_revision: '11' }),
  create({ key: 'b', start_revision: '12', prev_kv: true }),
  create({ key: 'b', start_revision: '13', prev_kv: true }),
  create({ key: 'a', start_revision: '-1' }),
  'agree',
  put('a', '7'),
  put('b', 'last'),
  'agree',
];

class Side {
  readonly log: WatchLog;
  private readonly subject: Subject;
  private created = 0;

  constructor(endpoint: GrpcEndpoint, subject: Subject) {
    this.log = new WatchLog(endpoint);
    this.subject = subject;
  }

  async take(step: Exclude<Step, 'agree'>): Promise<void> {
    if ('put' in step) await this.subject.put(step.put, step.value);
    else if ('remove' in step) await this.subject.remove(step.remove);
    else if ('compact' in step) await this.subject.compact(step.compact);
    else if ('cancel' in step) this.log.cancel(step.cancel);
    else {
      this.log.create(step.create);
      this.created++;
      await until('the answer to a watch', () => this.log.answered === this.created);
    }
  }
}

async function run(sides: readonly [Side, Side]): Promise<void> {
  for (const [at, step] of script.entries()) {
    if (step === 'agree') await agree(sides, at);
    else for (const side of sides) await side.take(step);
  }
}

async function agree(sides: readonly [Side, Side], at: number): Promise<void> {
  const contents = (): readonly unknown[] => sides.map(({ log }) => log.content());
  try {
    await until('the same from both', () => isDeepStrictEqual(contents()[0], contents()[1]), 5_000);
  } catch {
    const [expected, found] = contents();
    expect(found, `before step ${at}`).toEqual(expected);
  }
}

describe('watches of etcd and of zabtree', () => {
  const installed = isInstalled('etcd');
  if (!installed) process.stderr.write('skipped: etcd not installed\n');

  it.skipIf(!installed)('are told the same', async () => {
    const etcd = await EtcdProcess.start();
    const port = await WatchPort.open();
    const reference = new GrpcEndpoint('etcd', etcd.address);
    const subject = new GrpcEndpoint('zabtree', `127.0.0.1:${port.port.boundPort}`);
    try {
      const sides = [new Side(reference, etcdSubject(reference)), new Side(subject, zabtreeSubject(port))] as const;
      await run(sides);
      const told = Object.values(sides[0].log.content()).flat();
      expect(told.filter((entry) => entry['kv'] !== undefined).length).toBeGreaterThan(40);
      for (const { log } of sides) log.close();
    } finally {
      reference.close();
      subject.close();
      await port.close();
      await etcd.close();
    }
  });
});
