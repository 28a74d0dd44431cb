// A snapshot that is read while its tree goes on.

import { type Mutation, wrap } from '../mutation.js';
import { imageAgain } from './image-again.js';
import { littleLog } from './little-log.js';

export const snapshotOfTwoMoments: Mutation = {
  id: 'snapshot-of-two-moments',
  source: 'ZooKeeper: fuzzy snapshots',
  broken: 'A snapshot is read from a tree that changes meanwhile: it holds more than the entry that it names.',
  storage: (storage) =>
    wrap(storage, {
      get store() {
        const { store } = storage;
        return wrap(store, {
          image: () => imageAgain(store.meta, () => store.image()),
        });
      },
    }),
  plan: littleLog,
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'partition', 'pause'],
  noticedBy: ['tree equals replay', 'history equals replay'],
};
