// A confirmation that an earlier answer is taken for.

import type { Leading } from '../../../src/zab/state.js';
import { type Mutation, replace } from '../mutation.js';

export const reusedReadContext: Mutation = {
  id: 'etcd-reused-read-context',
  source: 'etcd',
  broken: 'Rounds that confirm leadership share one number, so that answers to an earlier round confirm a later one.',
  leaves: [
    replace<typeof import('../../../src/zab/broadcast.js')>('zab/broadcast', ({ beginRound, requestConfirmation }) => ({
      beginRound: (state, leading, out) => {
        reuseNumber(leading);
        beginRound(state, leading, out);
      },
      requestConfirmation: (state, leading, request, out) => {
        reuseNumber(leading);
        requestConfirmation(state, leading, request, out);
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

/** The next round counts up by one: back to the number of the one before. */
function reuseNumber(leading: Leading): void {
  if (leading.roundNonce === 0 && leading.nonce > 0) leading.nonce -= 1;
}
