// A snapshot that names a later entry than its tree holds.

import type { Zxid } from '../../../src/shared/ids.js';
import { type Mutation, wrap } from '../mutation.js';
import { imageAgain } from './image-again.js';
import { littleLog } from './little-log.js';

export const snapshotAheadOfItsTree: Mutation = {
  id: 'snapshot-ahead-of-its-tree',
  source: 'zabtree',
  broken: 'A snapshot says that it holds one entry more than it does: whoever takes it is never sent that one.',
  storage: (storage) =>
    wrap(storage, {
      get store() {
        const { store } = storage;
        return wrap(store, {
          image: () => {
            const image = store.image();
            const { meta } = image;
            return imageAgain({ ...meta, appliedZxid: (meta.appliedZxid + 1) as Zxid }, () => image);
          },
        });
      },
    }),
  plan: littleLog,
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'partition', 'pause'],
  noticedBy: ['a snapshot holds committed state', 'tree equals replay', 'committed prefixes are equal'],
};
