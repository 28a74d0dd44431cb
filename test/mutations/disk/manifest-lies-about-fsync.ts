// A manifest that says durable too early.

import { type Mutation, wrap } from '../mutation.js';

export const manifestLiesAboutFsync: Mutation = {
  id: 'manifest-lies-about-fsync',
  source: 'zabtree',
  broken: 'The manifest reports epochs as written before they are, so a promise can be forgotten.',
  storage: (storage, scheduler) =>
    wrap(storage, {
      persist: (record, done) => {
        storage.persist(record, () => {});
        scheduler.defer(() => done(null));
      },
    }),
  nodes: 3,
  seconds: 4,
  noticedBy: [
    'durable before acknowledged',
    'serving only in the current epoch',
    'nobody stops without a reason',
    'no word for an epoch that was left',
  ],
};
