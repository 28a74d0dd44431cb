// Members that were promised restored data, and begin without it.

import { type Mutation, replace } from '../mutation.js';
import { withRestored } from './with-restored.js';

export const promisedDataForgotten: Mutation = {
  id: 'promised-data-forgotten',
  source: 'zabtree',
  broken: 'Members that took the id of a restored ensemble and none of its data begin an epoch with nothing.',
  leaves: [
    replace<typeof import('../../../src/zab/seeds.js')>('zab/seeds', () => ({
      lacksSeed: () => false,
    })),
  ],
  // Disks are slow, so that the one that was restored is lost before it has filled the others.
  plan: (plan) => ({
    ...withRestored(plan),
    restored: [0],
    disk: { ...plan.disk, delayMinMs: 20, delayJitterMs: 40 },
    faultsFromMs: 0,
    faultEveryMs: 400,
    longFaultChance: 0.5,
  }),
  nodes: 3,
  seconds: 3,
  faults: ['crashLeader'],
  noticedBy: [
    'a new leader holds everything committed',
    'committed is never truncated',
    'committed prefixes are equal',
  ],
};
