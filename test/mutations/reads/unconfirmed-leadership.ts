// Leadership that nobody confirmed.

import { type Mutation, replace } from '../mutation.js';

export const unconfirmedLeadership: Mutation = {
  id: 'unconfirmed-leadership',
  source: 'zabtree',
  broken: 'Leadership counts as confirmed without asking anybody, so a deposed leader answers reads.',
  leaves: [
    replace<typeof import('../../../src/zab/broadcast.js')>('zab/broadcast', () => ({
      requestConfirmation: (_state, _leading, request, out) => {
        out.push({ type: 'leadershipConfirmed', request });
      },
    })),
  ],
  // Readers everywhere, so that one asks the deposed leader while it does not know.
  plan: (plan) => ({ ...plan, clients: 4, client: { ...plan.client, lanes: 2, thinkMs: 8 } }),
  nodes: 3,
  seconds: 3,
  faults: ['freezeLeader'],
  noticedBy: ['revisions respect real time', 'linearizable', 'revisions never go back for a client'],
};
