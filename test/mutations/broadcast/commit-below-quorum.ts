// Commit with one voter less than a quorum.

import { type Mutation, replace } from '../mutation.js';

export const commitBelowQuorum: Mutation = {
  id: 'commit-below-quorum',
  source: 'zabtree',
  broken: 'An entry counts as committed with one voter less than a quorum.',
  leaves: [
    replace<typeof import('../../../src/zab/quorum.js')>('zab/quorum', () => ({
      quorumDurable: (ends, quorum) => [...ends].sort((a, b) => b - a)[quorum - 2],
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['committed is durable on a quorum'],
};
