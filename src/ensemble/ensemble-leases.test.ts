// Leases on three whole nodes on virtual time: who knows deadlines, and what is left of them when the leader is gone.

import { beforeEach, describe, expect, test } from 'vitest';
import { ThreeVirtualNodes } from '../../test/harness/three-virtual-nodes.js';
import type { Command } from '../tree/command.js';
import { spaces } from '../tree/delta.js';
import { leaseKey } from '../tree/lease-records.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

class LeasedNodes extends ThreeVirtualNodes {
  /** Nodes on which the lease is there. */
  holding(id: bigint): number {
    return this.nodes.filter((node) => node.ensemble?.tree.recordIn(spaces.leases, leaseKey(id)) !== undefined).length;
  }

  has(key: string): number {
    return this.nodes.filter((node) => node.ensemble?.tree.get(bytes(key)).record !== undefined).length;
  }
}

describe('leases on three nodes', () => {
  let three: LeasedNodes;
  beforeEach(async () => {
    three = new LeasedNodes(5, { timing: { leaseCheckpointIntervalMs: 5_000 }, limits: { leaseRevokeKeysMax: 5 } });
    for (const node of three.nodes) node.boot();
    await three.led();
  });
  const grant = (id: bigint, ttlSeconds: number): Command => ({ type: 'leaseGrant', id, ttlSeconds });
  const timeToLive = (id: bigint): Command => ({ type: 'leaseTimeToLive', id, wantsKeys: true });
  const put = (key: string, lease: bigint): Command => ({
    type: 'transact',
    transaction: {
      compares: [],
      success: [
        {
          type: 'put',
          key: bytes(key),
          value: bytes('v'),
          lease,
          ignoreValue: false,
          ignoreLease: false,
          wantsPrevious: false,
        },
      ],
      failure: [],
    },
  });

  test('a lease that nobody renews ends on all of them, with its keys, at one revision; asked for through a follower', async () => {
    const granted = await three.output(grant(0n, 4));
    const id = granted?.type === 'leaseGrant' ? granted.id : 0n;
    expect(granted).toEqual({ type: 'leaseGrant', id: expect.any(BigInt), ttlSeconds: 4 });
    for (const key of ['b', 'a', 'c']) expect((await three.submit(three.follower, put(key, id))).code).toBe('OK');
    expect(await three.output(timeToLive(id))).toMatchObject({ keys: ['a', 'b', 'c'].map(bytes), grantedSeconds: 4 });
    const since = three.nowMs;
    const revision = three.leader?.ensemble?.tree.revision ?? 0;
    expect(await three.output({ type: 'leaseKeepAlive', id })).toEqual({ type: 'leaseKeepAlive', id, ttlSeconds: 4 });
    await three.pass(3_900);
    expect(three.holding(id)).toBe(3);
    await three.until(() => three.holding(id) === 0 && three.has('a') === 0, 2_000);
    expect(three.nowMs - since).toBeGreaterThanOrEqual(4_000);
    expect(three.nodes.map((node) => node.ensemble?.tree.revision)).toEqual(Array(3).fill(revision + 1));
    expect(['b', 'c'].map((key) => three.has(key))).toEqual([0, 0]);
    expect(await three.output({ type: 'leaseKeepAlive', id })).toMatchObject({ ttlSeconds: 0 });
    expect(await three.output(timeToLive(id))).toMatchObject({ ttlSeconds: -1 });
  });

  test('a lease that is renewed goes on, whoever leads', async () => {
    await three.submit(three.follower, grant(7n, 3));
    const untilMs = three.nowMs + 30_000;
    while (three.nowMs < untilMs) {
      await three.pass(1_000);
      if (three.nowMs > untilMs - 15_000 && three.nodes.every((node) => node.running)) three.leader?.crash('process');
      await three.led();
      expect(await three.output({ type: 'leaseKeepAlive', id: 7n })).toMatchObject({ ttlSeconds: 3 });
    }
    await three.until(() => three.holding(7n) === 0, 6_000);
  });

  test('a new leader starts from what remained at the last checkpoint, and a renewal takes that back', async () => {
    await three.submit(three.follower, grant(1n, 30));
    await three.submit(three.follower, grant(2n, 30));
    const since = three.nowMs;
    await three.pass(22_000);
    expect(await three.output({ type: 'leaseKeepAlive', id: 2n })).toMatchObject({ ttlSeconds: 30 });
    const leader = three.leader;
    leader?.crash('process');
    await three.until(() => leader?.down === true);
    await three.led();
    const left = async (id: bigint): Promise<number> => {
      const output = await three.output(timeToLive(id));
      return output?.type === 'leaseTimeToLive' ? output.ttlSeconds : Number.NaN;
    };
    const remaining = await left(1n);
    expect(remaining).toBeGreaterThanOrEqual(8);
    expect(remaining).toBeLessThanOrEqual(14);
    expect(await left(2n)).toBeGreaterThanOrEqual(28);
    await three.until(() => three.holding(1n) === 0, 17_000);
    expect(three.nowMs - since).toBeGreaterThanOrEqual(30_000);
    expect(three.holding(2n)).toBe(2);
  });

  test('revoking ends a lease at once', async () => {
    await three.submit(three.follower, grant(1n, 60));
    await three.submit(three.follower, put('k', 1n));
    expect(await three.submit(three.follower, { type: 'leaseRevoke', id: 1n })).toMatchObject({
      code: 'OK',
      revision: 3,
    });
    expect((await three.submit(three.follower, put('k', 1n))).code).toBe('LEASE_NOT_FOUND');
    expect((await three.submit(three.follower, { type: 'leaseRevoke', id: 1n })).code).toBe('LEASE_NOT_FOUND');
  });

  test('a lease with more keys than one entry deletes loses them all in the end', async () => {
    await three.submit(three.follower, grant(1n, 2));
    for (let i = 0; i < 12; i++) expect((await three.submit(three.follower, put(`k${i}`, 1n))).code).toBe('OK');
    await three.until(() => three.holding(1n) === 0, 6_000);
    expect(Array.from({ length: 12 }, (_, i) => three.has(`k${i}`))).toEqual(Array(12).fill(0));
  });
});
