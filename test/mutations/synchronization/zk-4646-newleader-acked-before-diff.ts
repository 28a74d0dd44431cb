// NEWLEADER acknowledged ahead of the disk.

import { type Mutation, replace } from '../mutation.js';

export const newLeaderAckedBeforeDiff: Mutation = {
  id: 'zk-4646-newleader-acked-before-diff',
  source: 'ZooKeeper: ZOOKEEPER-3911, 4646, 4785, 3023',
  broken: 'A follower acknowledges NEWLEADER before the entries of its synchronization are durable.',
  leaves: [
    replace<typeof import('../../../src/zab/follower-rules.js')>('zab/follower-rules', () => ({
      mayAdopt: () => true,
      acknowledgedEnd: (history) => history.last,
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'durable before acknowledged',
    'current epoch implies its initial history',
    'committed is durable on a quorum',
  ],
};
