// A new leader whose history ends where it has applied.

import { truncateHistory } from '../../../src/zab/history.js';
import { type Mutation, replace } from '../mutation.js';

export const tailSkipped: Mutation = {
  id: 'gometa-tail-skipped',
  source: 'gometa',
  broken:
    'A new leader goes on from what it has applied and skips its logged tail, which may be committed and acknowledged.',
  leaves: [
    replace<typeof import('../../../src/zab/roles.js')>('zab/roles', ({ createLeading }) => ({
      createLeading: (state, transition, returners) => {
        truncateHistory(state.history, state.delivered);
        return createLeading(state, transition, returners);
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['crashLeader', 'crash', 'isolateLeader'],
  noticedBy: [
    'told where its log ends',
    'current epoch implies its initial history',
    'committed is never truncated',
    'a new leader holds everything committed',
    'committed prefixes are equal',
    'no acknowledged write is lost',
  ],
};
