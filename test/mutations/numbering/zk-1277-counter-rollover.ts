// A counter that runs over into the next epoch.

import type { Epoch, Zxid } from '../../../src/shared/ids.js';
import { type Mutation, replace } from '../mutation.js';
import { proposedInAnyEpoch } from './any-epoch.js';

export const counterRollover: Mutation = {
  id: 'zk-1277-counter-rollover',
  source: 'ZooKeeper: ZOOKEEPER-1277',
  broken: 'A leader goes on past the greatest counter of its epoch, into numbers that belong to the next epoch.',
  leaves: [
    proposedInAnyEpoch(epochOf),
    replace<typeof import('../../../src/zab/numbering.js')>('zab/numbering', ({ nextZxidAfter }) => ({
      nextZxidAfter: (last, epoch) => nextZxidAfter(last, epoch) ?? ((last + 1) as Zxid),
    })),
  ],
  world: [
    // Epochs of 64 entries, so that a short run uses them up.
    replace<typeof import('../../../src/shared/ids.js')>('shared/ids', () => ({
      counterMax: counters - 1,
      counterReserve: 20,
      zxidOf: (epoch, counter) => (epoch * counters + counter) as Zxid,
      epochOf,
      counterOf: (zxid) => zxid % counters,
      formatZxid: (zxid) => `${Math.floor(zxid / counters)}.${zxid % counters}`,
    })),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['cutLink'],
  noticedBy: [
    'delivered implies proposed by the leader',
    'log contiguous',
    'serving only in the current epoch',
    'no assertion fails',
  ],
};

const counters = 64;

function epochOf(zxid: Zxid): Epoch {
  return Math.floor(zxid / counters) as Epoch;
}
