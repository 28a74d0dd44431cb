// A log that grows for ever.

import { type Mutation, wrap } from '../mutation.js';

export const logNeverTrimmed: Mutation = {
  id: 'log-never-trimmed',
  source: 'zabtree',
  broken: 'The log is not trimmed behind what the tree holds durably.',
  storage: (storage) =>
    wrap(storage, {
      get log() {
        const { log } = storage;
        return wrap(log, { trim: () => log.base });
      },
    }),
  // More is written than may stay.
  plan: (plan) => ({ ...plan, limits: { ...plan.limits, logRetainBytesMax: 1_000, logSegmentBytes: 500 } }),
  nodes: 3,
  seconds: 3,
  faults: ['crash', 'partition'],
  noticedBy: ['log and memory stay bounded'],
};
