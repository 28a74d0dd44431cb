// A watch at a member that jumps forward.

import { type Mutation, replace } from '../mutation.js';
import { littleLog } from '../snapshots/little-log.js';

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
  plan: littleLog,
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'partition', 'pause'],
  noticedBy: ['watches lose, repeat and reorder nothing'],
};
