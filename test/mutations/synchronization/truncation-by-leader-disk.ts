// A follower cut to what its leader has fsynced.

import { epochOf, zxidZero } from '../../../src/shared/ids.js';
import type { History } from '../../../src/zab/history.js';
import { type Mutation, replace } from '../mutation.js';

export const truncationByLeaderDisk: Mutation = {
  id: 'truncation-by-leader-disk',
  source: 'zabtree',
  broken:
    'A leader measures followers against its own disk: they may be ahead of it and have committed what it has them drop.',
  leaves: [
    replace<typeof import('../../../src/zab/sync.js')>('zab/sync', ({ planSync }) => ({
      planSync: (question) => planSync({ ...question, history: durablePart(question.history) }),
    })),
  ],
  // Links break while disks, the leader's too, are slower than the network.
  plan: (plan) => ({
    ...plan,
    faultEveryMs: 50,
    disk: { ...plan.disk, delayMinMs: 0.1, delayJitterMs: 60 },
    network: { ...plan.network, latencyJitterMs: 2 },
    client: { ...plan.client, thinkMs: 10 },
  }),
  nodes: 5,
  seconds: 4,
  faults: ['cutLink'],
  noticedBy: ['committed is never truncated'],
};

function durablePart(history: History): History {
  const { durable } = history;
  const earlier = history.ends.filter(({ epoch }) => epoch < epochOf(durable));
  const ends = durable === zxidZero ? [] : [...earlier, { epoch: epochOf(durable), last: durable }];
  return { ...history, last: durable, ends };
}
