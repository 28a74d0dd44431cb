// Trees that were made of one snapshot, each with a secret of its own.

import { type Mutation, replace } from '../mutation.js';
import { withRestored } from './with-restored.js';

export const restoredTreesTakenForEqual: Mutation = {
  id: 'restored-trees-taken-for-equal',
  source: 'zabtree',
  broken: 'A member that was restored from the same snapshot as its leader keeps its own tree, which is not the same.',
  leaves: [
    replace<typeof import('../../../src/zab/seeds.js')>('zab/seeds', () => ({
      isSeed: () => false,
    })),
  ],
  plan: (plan) => ({ ...withRestored(plan), restored: plan.skews.map((_, index) => index) }),
  nodes: 3,
  seconds: 3,
  faults: ['cutLink'],
  noticedBy: ['digests are equal at equal zxid'],
};
