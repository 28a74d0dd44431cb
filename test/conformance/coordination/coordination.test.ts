// Locks and elections behave as etcd's: the same calls of both services to both, by gRPC's own client, answers compared;
// and who waits gets its turn, or gives up its place.

import { type ClientReadableStream, credentials, Client as GrpcClient } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { until } from '../../../src/cli/local-ensemble/until.js';
import { withEnsemble } from '../../harness/test-ensemble.js';
import { bytesOf, methodShape, type Plain, plainOf } from '../etcd-messages.js';
import { EtcdProcess, isInstalled } from '../etcd-process.js';
import { GrpcEndpoint } from '../grpc-endpoint.js';

const patience = { timeoutMs: 20_000 };
const name = Buffer.from('e');
const lock = Buffer.from('q');
const leaderKey = { name, key: Buffer.from('e/4d'), rev: '2', lease: '77' };

const steps: readonly (readonly [path: string, request: Plain])[] = [
  ['/etcdserverpb.Lease/LeaseGrant', { ID: '77', TTL: '300' }],
  ['/etcdserverpb.Lease/LeaseGrant', { ID: '-5', TTL: '300' }],
  ['/v3electionpb.Election/Leader', { name }],
  ['/v3electionpb.Election/Campaign', { name, lease: '99', value: 'v' }],
  ['/v3electionpb.Election/Campaign', { name, lease: '77', value: 'v' }],
  ['/v3electionpb.Election/Campaign', { name, lease: '77', value: 'w' }],
  ['/v3electionpb.Election/Leader', { name }],
  ['/v3electionpb.Election/Proclaim', { leader: leaderKey, value: 'x' }],
  ['/v3electionpb.Election/Proclaim', { leader: { ...leaderKey, rev: '9' }, value: 'y' }],
  ['/v3electionpb.Election/Proclaim', { leader: { ...leaderKey, rev: '-9' }, value: 'y' }],
  ['/v3electionpb.Election/Proclaim', { value: 'y' }],
  ['/v3electionpb.Election/Proclaim', { leader: {}, value: 'y' }],
  ['/v3electionpb.Election/Leader', { name }],
  ['/v3electionpb.Election/Resign', {}],
  ['/v3electionpb.Election/Resign', { leader: { ...leaderKey, rev: '9' } }],
  ['/v3electionpb.Election/Resign', { leader: leaderKey }],
  ['/v3electionpb.Election/Leader', { name }],
  ['/v3lockpb.Lock/Lock', { name: lock, lease: '99' }],
  ['/v3lockpb.Lock/Lock', { name: lock, lease: '77' }],
  ['/v3lockpb.Lock/Lock', { name: lock, lease: '77' }],
  ['/v3lockpb.Lock/Lock', { name: Buffer.from('n'), lease: '-5' }],
  ['/v3lockpb.Lock/Lock', { lease: '77' }],
  ['/v3lockpb.Lock/Unlock', { key: 'q/4d' }],
  ['/v3lockpb.Lock/Unlock', { key: 'q/4d' }],
  ['/v3lockpb.Lock/Unlock', {}],
  ['/etcdserverpb.Lease/LeaseRevoke', { ID: '77' }],
  ['/etcdserverpb.KV/Range', { key: '\0', range_end: '\0' }],
  ['/etcdserverpb.Lease/LeaseTimeToLive', { ID: '77', keys: true }],
  ['/etcdserverpb.Lease/LeaseRevoke', { ID: '-5' }],
  // Not LeaseLeases: for a Proclaim or Resign without a lease etcd grants one, which then belongs to nobody.
  ['/grpc.health.v1.Health/Check', {}],
  ['/grpc.health.v1.Health/Check', { service: 'etcdserverpb.KV' }],
];

/** A server's own ids. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field]) => !['cluster_id', 'member_id', 'raft_term'].includes(field))
      .map(([field, inner]) => [field, withoutIds(inner)]),
  );
}

interface Told {
  readonly stream: ClientReadableStream<Plain>;
  readonly messages: Plain[];
}

/** A server-streaming call, and what it told so far. */
function told(client: GrpcClient, path: string, request: Plain): Told {
  const shape = methodShape(path);
  const stream = client.makeServerStreamRequest(
    path,
    (plain: Plain) => Buffer.from(bytesOf(shape.request, plain)),
    (bytes: Buffer) => plainOf(shape.response, bytes),
    request,
  );
  const messages: Plain[] = [];
  stream.on('data', (message: Plain) => messages.push(message));
  stream.on('error', () => undefined);
  return { stream, messages };
}

const etcdInstalled = isInstalled('etcd');
if (!etcdInstalled) process.stderr.write('skipped: etcd not installed\n');

describe('locks and elections', () => {
  it.skipIf(!etcdInstalled)('answer what those of etcd answer', async () => {
    const etcd = await EtcdProcess.start();
    const reference = new GrpcEndpoint('etcd', etcd.address);
    try {
      await withEnsemble({ nodes: 1 }, async (test) => {
        await test.start();
        const subject = new GrpcEndpoint('zabtree', test.ensemble.requestAddresses[0] ?? '');
        for (const [path, request] of steps) {
          const expected = withoutIds(await reference.call(path, request));
          const answer = withoutIds(await subject.call(path, request));
          expect({ path, request, answer }).toEqual({ path, request, answer: expected });
        }
        subject.close();
      });
    } finally {
      reference.close();
      await etcd.close();
    }
  });

  it('give each its turn, tell who leads, and take back the place of those who left', async () => {
    await withEnsemble({}, async (test) => {
      const leader = await test.start();
      const [followerIndex = 0] = test.followersOf(leader);
      const addresses = test.ensemble.requestAddresses;
      const first = new GrpcEndpoint('leader', addresses[leader] ?? '');
      const second = new GrpcEndpoint('follower', addresses[followerIndex] ?? '');
      const client = new GrpcClient(addresses[followerIndex] ?? '', credentials.createInsecure());
      for (const ID of ['1', '2', '3']) await first.call('/etcdserverpb.Lease/LeaseGrant', { ID, TTL: '300' });
      const observed = told(client, '/v3electionpb.Election/Observe', { name });
      const candidacy = (lease: string): Plain => ({ name, value: `v${lease}`, lease });
      const keys = async (): Promise<string[]> => {
        const answer = await first.call('/etcdserverpb.KV/Range', { key: 'e/', range_end: 'e0', keys_only: true });
        if (answer.type === 'error') throw new Error(answer.text);
        return ((answer.message['kvs'] ?? []) as { key: string }[]).map(({ key }) => key);
      };
      const path = '/v3electionpb.Election/Campaign';

      expect((await first.call(path, candidacy('1'))).type).toBe('response');
      let won = '';
      const waiting = second.call(path, candidacy('2')).then((answer) => {
        won = answer.type;
        return answer;
      });
      await until('the second to wait', patience, async () => (await keys()).includes('e/2') || undefined);
      // A candidate that goes away while it waits leaves no key behind.
      const shape = methodShape(path);
      const leaving = client.makeUnaryRequest(
        path,
        (plain: Plain) => Buffer.from(bytesOf(shape.request, plain)),
        (bytes: Buffer) => plainOf(shape.response, bytes),
        candidacy('3'),
        () => undefined,
      );
      await until('the third to wait', patience, async () => (await keys()).includes('e/3') || undefined);
      leaving.cancel();
      await until('the third to leave', patience, async () => !(await keys()).includes('e/3') || undefined);
      expect(won).toBe('');

      await first.call('/etcdserverpb.Lease/LeaseRevoke', { ID: '1' });
      const answer = await waiting;
      expect(answer.type === 'response' && (answer.message['leader'] as { key: string }).key).toBe('e/2');
      const proclaimed = () => observed.messages.map(({ kv }) => (kv as { value: string }).value);
      await until('the next leader to be told', patience, async () => proclaimed().includes('v2') || undefined);
      expect(proclaimed()).toEqual(['v1', 'v2']);

      observed.stream.cancel();
      client.close();
      first.close();
      second.close();
    });
  });

  it('work through etcd3, whose keys are its own', async () => {
    await withEnsemble({}, async (test) => {
      await test.start();
      const etcd = new Etcd3({ hosts: test.ensemble.requestAddresses.map((address) => `http://${address}`) });
      await etcd.put('plain').value('1');
      expect(await etcd.get('plain').string()).toBe('1');
      const order: string[] = [];
      const held = await etcd.lock('once').ttl(30).acquire();
      await etcd
        .lock('once')
        .ttl(30)
        .acquire()
        .then(
          () => order.push('second'),
          () => order.push('refused'),
        );
      await held.release();
      await etcd
        .lock('once')
        .ttl(30)
        .do(() => void order.push('after'));
      expect(order).toEqual(['refused', 'after']);

      const election = etcd.election('chief', 30);
      const campaign = election.campaign('candidate');
      await new Promise<void>((resolve, reject) => {
        campaign.on('elected', resolve);
        campaign.on('error', reject);
      });
      expect(await election.leader()).toBe('candidate');
      await campaign.resign();
      etcd.close();
    });
  });
});
