// zabtree answers as etcd does: ten thousand random requests to both, and not one difference.

import { describe, expect, it } from 'vitest';
import { withEnsemble } from '../../harness/test-ensemble.js';
import { EtcdProcess, isInstalled } from '../etcd-process.js';
import { GrpcEndpoint } from '../grpc-endpoint.js';
import { runDifferential } from './differential-run.js';

const steps = Number(process.env['DIFFERENTIAL_STEPS'] ?? 10_000);
const seed = Number(process.env['DIFFERENTIAL_SEED'] ?? 4);
const timeoutMs = 300_000;

describe('etcd and zabtree', () => {
  const installed = isInstalled('etcd');
  if (!installed) process.stderr.write('skipped: etcd not installed\n');

  it.skipIf(!installed)(
    'answer random requests alike',
    async () => {
      const etcd = await EtcdProcess.start();
      try {
        await withEnsemble({}, async (test) => {
          const leader = await test.start();
          // By way of a follower: what it answers came over the longest way.
          const follower = test.followersOf(leader)[0] ?? leader;
          const reference = new GrpcEndpoint('etcd', etcd.address);
          const subject = new GrpcEndpoint('zabtree', test.ensemble.requestAddresses[follower] ?? '');
          try {
            const result = await runDifferential({ reference, subject, seed, steps, differencesMax: 10 });
            expect(result.differences, `seed ${seed}`).toEqual([]);
            expect(result.steps).toBe(steps);
            // Both kinds of answers came up.
            expect(result.errors).toBeGreaterThan(steps / 50);
            expect(result.events).toBeGreaterThan(steps / 50);
          } finally {
            reference.close();
            subject.close();
          }
        });
      } finally {
        await etcd.close();
      }
    },
    timeoutMs,
  );

  it.skipIf(!installed)(
    'differ when one of them lacks a write',
    async () => {
      const servers = [await EtcdProcess.start(), await EtcdProcess.start()] as const;
      const [reference, subject] = servers.map((server) => new GrpcEndpoint('etcd', server.address)) as [
        GrpcEndpoint,
        GrpcEndpoint,
      ];
      try {
        await reference.call('/etcdserverpb.KV/Put', { key: 'a', value: 'only here' });
        const result = await runDifferential({ reference, subject, seed, steps: 20, differencesMax: 3 });
        expect(result.differences.length).toBeGreaterThan(0);
      } finally {
        reference.close();
        subject.close();
        for (const server of servers) await server.close();
      }
    },
    timeoutMs,
  );
});
