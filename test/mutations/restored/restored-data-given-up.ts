// Restored data that counts for nothing.

import { type Mutation, replace } from '../mutation.js';
import { withRestored } from './with-restored.js';

export const restoredDataGivenUp: Mutation = {
  id: 'restored-data-given-up',
  source: 'zabtree',
  broken: 'A restored member is taken for a blank one: it gives its data up for the nothing of whoever leads.',
  leaves: [
    replace<typeof import('../../../src/zab/seeds.js')>('zab/seeds', () => ({
      holdsOther: () => false,
      seedObstacle: () => undefined,
    })),
  ],
  plan: withRestored,
  nodes: 3,
  seconds: 3,
  faults: ['crashLeader', 'isolateLeader', 'blockOneWay'],
  noticedBy: [
    'a new leader holds everything committed',
    'committed is never truncated',
    'committed prefixes are equal',
  ],
};
