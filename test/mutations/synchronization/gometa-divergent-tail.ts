// A tail of another epoch that stays where it is.

import { type Mutation, replace } from '../mutation.js';

export const divergentTail: Mutation = {
  id: 'gometa-divergent-tail',
  source: 'gometa',
  broken:
    'A follower keeps the entries that its leader does not have, and gets what follows the point where they part.',
  leaves: [
    replace<typeof import('../../../src/zab/sync.js')>('zab/sync', ({ planSync }) => ({
      planSync: (question) => {
        const decision = planSync(question);
        return decision.type === 'plan' && decision.plan.kind === 'truncate'
          ? { type: 'plan', plan: { kind: 'diff', after: decision.plan.to } }
          : decision;
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'progress after healing',
    'one value per zxid',
    'current epoch implies its initial history',
    'log contiguous',
    'no assertion fails',
  ],
};
