// The JSON gateway answers what etcd's answers: the same requests to both, statuses and bodies compared.

import { request as httpRequest } from 'node:http';
import { describe, expect, it } from 'vitest';
import { withEnsemble } from '../../harness/test-ensemble.js';
import { EtcdProcess, isInstalled } from '../etcd-process.js';

interface GatewayAnswer {
  readonly status: number;
  readonly type: string | undefined;
  readonly text: string;
}

interface GatewayRequest {
  readonly path: string;
  readonly body?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer is cut off once it has so many lines: it does not end by itself. */
  readonly lines?: number;
}

function ask(address: string, { path, body = '{}', method = 'POST', headers = {}, lines }: GatewayRequest) {
  const [host, port] = address.split(':');
  return new Promise<GatewayAnswer>((resolve, reject) => {
    const sent = httpRequest({ host, port, path, method, headers }, (response) => {
      let text = '';
      const told = (): void =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'], text });
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (lines === undefined || text.split('\n').length <= lines) return;
        told();
        sent.destroy();
      });
      response.on('end', told);
    });
    sent.on('error', reject);
    sent.end(method === 'POST' ? body : undefined);
  });
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const a = base64('a');
const post = (path: string, body: unknown): GatewayRequest => ({
  path: `/v3/${path}`,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const steps: readonly GatewayRequest[] = [
  post('kv/put', { key: a, value: base64('1') }),
  post('kv/put', { key: a, value: base64('2'), prevKv: true }),
  post('kv/put', { key: base64('b'), prev_kv: true }),
  post('kv/range', { key: a }),
  post('kv/range', { key: a, rangeEnd: 'AA==', sort_order: 'DESCEND', sortTarget: 2, limit: 5, revision: '0' }),
  post('kv/range', { key: a, range_end: 'AA==', limit: '1', keys_only: true }),
  post('kv/range', { key: a, range_end: 'AA==', count_only: true, serializable: true }),
  post('kv/range', { unknown: 1, key: a, nested: { deep: [1, { a: null }] } }),
  post('kv/range', { key: base64('nothing here') }),
  post('kv/range', ''),
  post('kv/range', 'null'),
  post('kv/range', {}),
  post('kv/range', { key: a, revision: 100 }),
  post('kv/range', `  {"key":"${a}"} what is behind it`),
  post('kv/put', { key: a, value: a, ignore_value: true }),
  post('kv/put', { key: base64('c'), ignore_value: true }),
  post('kv/put', { key: a, lease: '4711' }),
  post('kv/txn', {
    compare: [{ target: 'VALUE', key: a, value: base64('2') }],
    success: [{ request_range: { key: a } }, { requestPut: { key: base64('t'), value: a } }],
    failure: [{ request_delete_range: { key: a } }],
  }),
  post('kv/txn', {
    compare: [{ target: 'MOD', result: 'GREATER', key: a, mod_revision: '1000' }],
    failure: [
      { request_delete_range: { key: a, prev_kv: true } },
      { request_txn: { success: [{ request_range: { key: a } }] } },
    ],
  }),
  post('kv/txn', { success: [{ request_put: { key: a } }, { request_put: { key: a } }] }),
  post('kv/txn', { success: [{}] }),
  post('kv/deleterange', { key: a, range_end: 'AA==', prev_kv: true }),
  post('kv/deleterange', { key: a }),
  post('kv/compaction', { revision: '3' }),
  post('kv/compaction', { revision: '3' }),
  post('kv/compaction', { revision: 1000 }),
  post('kv/range', { key: a, revision: 2 }),
  post('lease/grant', { TTL: 60, ID: 5 }),
  post('lease/grant', { TTL: '60', ID: '7587848390000000123' }),
  post('lease/grant', '{"TTL":60,"ID":7587848390000000124}'),
  post('lease/grant', { TTL: 9_000_000_001, ID: 8 }),
  post('kv/put', { key: base64('l'), lease: '7587848390000000124' }),
  post('kv/range', { key: base64('l') }),
  post('lease/keepalive', { ID: 5 }),
  post('lease/keepalive', '{"ID":5} {"ID":"6"}'),
  post('lease/revoke', { ID: 55 }),
  post('kv/lease/revoke', { ID: '7587848390000000124' }),
  post('kv/range', { key: base64('l') }),
  post('lease/timetolive', { ID: 55, keys: true }),
  post('lock/lock', { name: base64('lock'), lease: 5 }),
  post('lock/lock', { name: base64('lock'), lease: 99 }),
  post('lock/unlock', { key: base64('lock/5') }),
  post('lock/unlock', {}),
  post('election/leader', { name: base64('e') }),
  post('election/campaign', { name: base64('e'), lease: 5, value: a }),
  post('election/leader', { name: base64('e') }),
  post('election/proclaim', { leader: { name: base64('e'), key: base64('e/5'), rev: 1, lease: 5 }, value: a }),
  post('election/proclaim', {}),
  post('election/resign', {}),
  { ...post('election/observe', { name: base64('e') }), lines: 1 },
  { ...post('watch', { create_request: { key: a, range_end: 'AA==', start_revision: '4' } }), lines: 2 },
  { path: '/v3/kv/range', method: 'GET' },
  { path: '/v3/kv/range', method: 'PUT' },
  { path: '/v3/kv/nothing' },
  { ...post('kv/range', { key: a }), headers: { 'grpc-timeout': 'soon' } },
];

/** Refused alike, though not in the same words: those are of Go's JSON library. */
const malformed: readonly GatewayRequest[] = [
  post('kv/range', '{'),
  post('kv/range', '{"key":"YQ=='),
  post('kv/range', '[]'),
  post('kv/range', 'nonsense'),
  post('kv/range', { key: 5 }),
  post('kv/range', { key: '!!' }),
  post('kv/range', { key: a, limit: 1.5 }),
  post('kv/range', { key: a, limit: 'x' }),
  post('kv/range', `{"key":"${a}","limit":99999999999999999999}`),
  post('kv/range', { key: a, sort_order: 'NOPE' }),
  post('kv/range', { key: a, serializable: 'true' }),
];

/** Ids of clusters, members and terms are a server's own, as is the order of a failure's fields. */
function comparable({ status, type, text }: GatewayAnswer): unknown {
  const lines = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('{') ? withoutIds(JSON.parse(line)) : line));
  // etcd 3.4 has 412 here, later ones have 400.
  return { status: status === 412 ? 400 : status, type, lines };
}

function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => !['cluster_id', 'member_id', 'raft_term'].includes(name))
      .map(([name, inner]) => [name, withoutIds(inner)]),
  );
}

const etcdInstalled = isInstalled('etcd');
if (!etcdInstalled) process.stderr.write('skipped: etcd not installed\n');

describe('the JSON gateway', () => {
  it.skipIf(!etcdInstalled)('answers what etcd answers', async () => {
    const etcd = await EtcdProcess.start();
    try {
      await withEnsemble({ nodes: 1 }, async (test) => {
        await test.start();
        const address = test.ensemble.requestAddresses[0] ?? '';
        for (const step of steps) {
          const expected = comparable(await ask(etcd.address, step));
          expect({ step, answer: comparable(await ask(address, step)) }).toEqual({ step, answer: expected });
        }
        for (const step of malformed) {
          const expected = await ask(etcd.address, step);
          const answer = await ask(address, step);
          const told = JSON.parse(answer.text) as {
            readonly code: number;
            readonly message: string;
            readonly error: string;
          };
          expect({ step, status: answer.status, code: told.code }).toEqual({ step, status: expected.status, code: 3 });
          expect(told.error).toBe(told.message);
        }
      });
    } finally {
      await etcd.close();
    }
  });
});
