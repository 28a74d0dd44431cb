// A snapshot that is older than the log it replaces.

import { type Mutation, replace } from '../mutation.js';

export const snapshotOverLongerLog: Mutation = {
  id: 'snapshot-over-longer-log',
  source: 'zabtree',
  broken: 'Every follower is synchronized by a snapshot, also one whose log goes further than the image.',
  leaves: [
    replace<typeof import('../../../src/zab/sync.js')>('zab/sync', () => ({
      planSync: () => ({ type: 'plan', plan: { kind: 'snapshot' } }),
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['committed is never truncated'],
};
