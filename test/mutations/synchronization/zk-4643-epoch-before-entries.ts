// currentEpoch ahead of the entries.

import { type Mutation, replace } from '../mutation.js';

export const epochBeforeEntries: Mutation = {
  id: 'zk-4643-epoch-before-entries',
  source: 'ZooKeeper: ZOOKEEPER-4643',
  broken: 'A follower writes currentEpoch before the entries of its synchronization are durable.',
  leaves: [
    replace<typeof import('../../../src/zab/follower-rules.js')>('zab/follower-rules', () => ({
      mayAdopt: () => true,
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['current epoch implies its initial history'],
};
