// Proposals kept in memory over an election.

import { type Mutation, replace } from '../mutation.js';

export const memoryAheadOfLog: Mutation = {
  id: 'zk-2845-memory-ahead-of-log',
  source: 'ZooKeeper: ZOOKEEPER-2845',
  broken: 'A leader that loses leadership keeps what it had proposed in its tree, though it was not committed.',
  leaves: [
    replace<typeof import('../../../src/tree/tree.js')>('tree/tree', ({ Tree }) => ({
      Tree: class extends Tree {
        override dropStaged(): void {
          this.commitStaged(this.stagedZxid);
        }
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'cutLink', 'partition'],
  noticedBy: ['applied is durable here', 'committed prefixes are equal', 'committed is durable on a quorum'],
};
