// A member that comes back with a higher round.

import { type Mutation, replace } from '../mutation.js';

export const disruptiveRejoiner: Mutation = {
  id: 'raft-disruptive-rejoiner',
  source: 'Raft without PreVote',
  broken:
    'A leader or follower that hears of a higher round of election looks for a leader anew, whoever is in that round.',
  leaves: [
    replace<typeof import('../../../src/zab/election.js')>('zab/election', ({ receiveDatagram }) => ({
      receiveDatagram: (state, from, message, out) => {
        if (state.role.role !== 'looking' && message.role === 'looking' && message.round > state.role.round)
          state.transition ??= { to: 'looking', reason: `server ${from} is in round ${message.round}` };
        receiveDatagram(state, from, message, out);
      },
    })),
  ],
  // A quorum that is healed first would have to depose a leader that is not in it.
  plan: (plan) => ({ ...plan, quorumFirst: false }),
  nodes: 3,
  seconds: 4,
  faults: ['flap'],
  noticedBy: ['a flapping minority deposes nobody'],
};
