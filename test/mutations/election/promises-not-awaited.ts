// An epoch without a quorum of promises.

import { type Mutation, replace } from '../mutation.js';

export const promisesNotAwaited: Mutation = {
  id: 'promises-not-awaited',
  source: 'zabtree',
  broken: 'A prospective leader waits neither for a quorum of promises nor for a quorum that has its history.',
  leaves: [
    replace<typeof import('../../../src/zab/discovery.js')>('zab/discovery', () => ({
      hasPromises: () => true,
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
    'current epoch implies its initial history',
    'revisions respect real time',
    'only those who count make a quorum',
  ],
};
