// A leader that leads again and goes by what it knew before.

import { type Mutation, replace } from '../mutation.js';

export const leaseEndedByOldDeadline: Mutation = {
  id: 'lease-ended-by-old-deadline',
  source: 'zabtree',
  broken:
    'A leader that is deposed keeps its deadlines, and ends leases by them that another leader has renewed meanwhile.',
  leaves: [
    replace<typeof import('../../../src/ensemble/lessor.js')>('ensemble/lessor', ({ Lessor }) => ({
      Lessor: class extends Lessor {
        override serves(leading: boolean): void {
          if (leading) super.serves(true);
        }
      },
    })),
  ],
  plan: (plan) => ({ ...plan, holders: 4, client: { ...plan.client, thinkMs: 15 } }),
  nodes: 3,
  seconds: 15,
  faults: ['isolateLeader', 'freezeLeader'],
  noticedBy: ['a lease ends no earlier than was told'],
};
