// Entries numbered outside the epoch that they are written in.

import { epochOf, type Zxid } from '../../../src/shared/ids.js';
import { type Mutation, replace } from '../mutation.js';
import { proposedInAnyEpoch } from './any-epoch.js';

export const zxidsOutsideEpoch: Mutation = {
  id: 'zk-3526-zxids-outside-epoch',
  source: 'ZooKeeper: ZOOKEEPER-3526',
  broken: 'A leader goes on counting where its log ends, so that its entries carry a lower epoch than its own.',
  leaves: [
    proposedInAnyEpoch(epochOf),
    replace<typeof import('../../../src/zab/numbering.js')>('zab/numbering', () => ({
      nextZxidAfter: (last) => (last + 1) as Zxid,
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['delivered implies proposed by the leader', 'one value per zxid'],
};
