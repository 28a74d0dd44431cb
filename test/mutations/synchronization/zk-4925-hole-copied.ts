// A hole in a leader's log that followers take over.

import type { NodeStorage } from '../../../src/ensemble/ports.js';
import { holesTolerated } from '../holes.js';
import { type Mutation, replace, wrap } from '../mutation.js';

export const holeCopied: Mutation = {
  id: 'zk-4925-hole-copied',
  source: 'ZooKeeper: ZOOKEEPER-4925',
  broken: 'A leader whose log has lost a batch in the middle sends the rest, and a follower takes it.',
  leaves: [
    ...holesTolerated,
    replace<typeof import('../../../src/zab/follower-rules.js')>('zab/follower-rules', ({ intakeOf }) => ({
      intakeOf: (history, following, batch) =>
        batch.last > history.last ? 'append' : intakeOf(history, following, batch),
    })),
  ],
  storage: (storage) => logWithHoles(storage),
  nodes: 3,
  seconds: 4,
  noticedBy: ['proposals follow each other', 'log contiguous', 'current epoch implies its initial history'],
};

/** What is read for a follower lacks a batch whenever there are three or more. */
function logWithHoles(storage: NodeStorage): NodeStorage {
  return wrap(storage, {
    get log() {
      const { log } = storage;
      return wrap(log, {
        read: (after, bytesMax, done) =>
          log.read(after, bytesMax, (error, batches) =>
            done(error, batches.length < 3 ? batches : batches.filter((_, index) => index !== 1)),
          ),
      });
    },
  });
}
