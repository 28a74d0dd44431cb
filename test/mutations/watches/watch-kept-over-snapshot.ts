// A watch at a member that jumps forward.

import { type Mutation, replace } from '../mutation.js';

export const watchKeptOverSnapshot: Mutation = {
  id: 'watch-kept-over-snapshot',
  source: 'zabtree',
  broken: 'A member that takes a snapshot leaves its watches as they are: what the snapshot skipped is never told.',
  leaves: [
    replace<typeof import('../../../src/tree/watch-hub.js')>('tree/watch-hub', ({ WatchHub }) => ({
      WatchHub: class extends WatchHub {
        override reset(): void {}
      },
    })),
  ],
  // Little log is kept, so that whoever was away is filled by a snapshot.
  plan: (plan) => ({ ...plan, limits: { ...plan.limits, logRetainBytesMax: 0, logSegmentBytes: 300 } }),
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'partition', 'pause'],
  noticedBy: ['watches lose, repeat and reorder nothing'],
};
