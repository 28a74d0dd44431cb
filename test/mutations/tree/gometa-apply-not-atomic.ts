// The mark of what is applied, apart from what was applied.

import { type Mutation, wrap } from '../mutation.js';

export const applyNotAtomic: Mutation = {
  id: 'gometa-apply-not-atomic',
  source: 'gometa',
  broken:
    'The tree and the mark of what it has applied are written one after the other, so a crash leaves one without the other.',
  storage: (storage) =>
    wrap(storage, {
      get store() {
        const { store } = storage;
        return wrap(store, {
          flush: (batch, done) => {
            store.flush({ ...batch, versions: [], sessions: [], sessionsEvicted: [] }, (error) => {
              if (error !== null) done(error);
              else store.flush(batch, done);
            });
          },
        });
      },
    }),
  nodes: 3,
  seconds: 4,
  faults: ['crash', 'machineDown', 'crashAll'],
  noticedBy: [
    'tree equals replay',
    'history equals replay',
    'reads show the committed history',
    'a request happens once',
    'no assertion fails',
  ],
};
