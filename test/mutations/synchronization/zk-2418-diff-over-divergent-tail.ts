// A DIFF that begins behind entries of another leader.

import { zxidZero } from '../../../src/shared/ids.js';
import { type Mutation, replace } from '../mutation.js';

export const diffOverDivergentTail: Mutation = {
  id: 'zk-2418-diff-over-divergent-tail',
  source: 'ZooKeeper: ZOOKEEPER-2418, 2846, 4352',
  broken: "A DIFF begins at the end of the follower's log without asking whether the leader has that entry.",
  leaves: [
    replace<typeof import('../../../src/zab/history.js')>('zab/history', ({ commonPoint }) => ({
      commonPoint: (history, ends) => {
        const last = ends.at(-1)?.last ?? zxidZero;
        return last >= history.base && last <= history.last ? last : commonPoint(history, ends);
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'crashLeader', 'partition', 'cutLink', 'slowDisk'],
  noticedBy: ['current epoch implies its initial history', 'committed prefixes are equal', 'one value per zxid'],
};
