// A leader without data before members with restored data.

import { type Mutation, replace } from '../mutation.js';
import { withRestored } from './with-restored.js';

export const blankLeaderFounds: Mutation = {
  id: 'blank-leader-founds',
  source: 'zabtree',
  broken:
    'A leader without data does not give way to a member that was restored: that one has to stop, to keep its data.',
  leaves: [
    replace<typeof import('../../../src/zab/seeds.js')>('zab/seeds', () => ({
      holdsOther: () => false,
    })),
  ],
  plan: withRestored,
  nodes: 3,
  seconds: 3,
  faults: ['crashLeader', 'isolateLeader', 'blockOneWay'],
  noticedBy: ['nobody stops without a reason'],
};
