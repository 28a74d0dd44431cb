// An election before the disk has caught up.

import { type Mutation, replace } from '../mutation.js';

export const logQueueNotDrained: Mutation = {
  id: 'zk-4712-log-queue-not-drained',
  source: 'ZooKeeper: ZOOKEEPER-4712',
  broken: 'A node begins an election while entries of its former role are still on their way to the disk.',
  leaves: [
    replace<typeof import('../../../src/zab/history.js')>('zab/history', () => ({
      isDrained: () => true,
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['told where its log ends', 'committed is never truncated', 'no assertion fails'],
};
