// Establishment without enough NEWLEADER acknowledgments.

import { type Mutation, replace } from '../mutation.js';

export const establishedWithoutQuorum: Mutation = {
  id: 'established-without-quorum',
  source: 'zabtree',
  broken: 'A leader is established without a quorum that has taken over its history.',
  leaves: [
    replace<typeof import('../../../src/zab/discovery.js')>('zab/discovery', () => ({
      hasNewLeaderQuorum: () => true,
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'committed is durable on a quorum',
    'one leader per epoch',
    'committed prefixes are equal',
    'a new leader holds everything committed',
    'only those who count make a quorum',
  ],
};
