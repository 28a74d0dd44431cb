// An ACK ahead of ACK(NEWLEADER).

import { type Mutation, replace } from '../mutation.js';

export const proposalAckedBeforeNewLeader: Mutation = {
  id: 'zk-4685-proposal-acked-before-newleader',
  source: 'ZooKeeper: ZOOKEEPER-4685',
  broken: 'A follower acknowledges proposals while it is still being synchronized.',
  leaves: [
    replace<typeof import('../../../src/zab/follower-rules.js')>('zab/follower-rules', ({ mayAcknowledge }) => ({
      mayAcknowledge: (following) => following.phase === 'synchronizing' || mayAcknowledge(following),
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['NEWLEADER is acknowledged before any proposal'],
};
