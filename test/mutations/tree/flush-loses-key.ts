// A flush that leaves something out.

import { type Mutation, wrap } from '../mutation.js';

export const flushLosesKey: Mutation = {
  id: 'flush-loses-key',
  source: 'zabtree',
  broken: 'A flush of the tree leaves out one version.',
  storage: (storage) =>
    wrap(storage, {
      get store() {
        const { store } = storage;
        return wrap(store, {
          flush: (batch, done) => store.flush({ ...batch, versions: batch.versions.slice(1) }, done),
        });
      },
    }),
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'tree equals replay',
    'reads show the committed history',
    'history equals replay',
    'digests are equal at equal zxid',
    'no assertion fails',
  ],
};
