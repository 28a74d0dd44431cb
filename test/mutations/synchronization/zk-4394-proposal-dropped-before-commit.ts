// A proposal lost between NEWLEADER and UPTODATE.

import { holesTolerated } from '../holes.js';
import { type Mutation, replace } from '../mutation.js';

export const proposalDroppedBeforeCommit: Mutation = {
  id: 'zk-4394-proposal-dropped-before-commit',
  source: 'ZooKeeper: ZOOKEEPER-4394',
  broken:
    'A proposal that comes between NEWLEADER and its acknowledgment is dropped, and its COMMIT comes all the same.',
  leaves: [
    ...holesTolerated,
    replace<typeof import('../../../src/zab/follower-rules.js')>('zab/follower-rules', ({ intakeOf }) => ({
      intakeOf: (history, following, batch) => {
        if (following.phase === 'adopting') return 'ignore';
        return batch.last > history.last ? 'append' : intakeOf(history, following, batch);
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['log contiguous', 'committed prefixes are equal', 'no assertion fails'],
};
