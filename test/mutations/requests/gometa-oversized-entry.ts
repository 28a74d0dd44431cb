// A batch that no peer takes.

import { type Mutation, replace } from '../mutation.js';

export const oversizedEntry: Mutation = {
  id: 'gometa-oversized-entry',
  source: 'gometa',
  broken: 'The size of what is proposed is not bounded, so a batch passes what a frame between peers may hold.',
  leaves: [
    replace<typeof import('../../../src/ensemble/command-bytes.js')>('ensemble/command-bytes', () => ({
      commandBytes: () => 0,
      entryBytes: () => 0,
    })),
  ],
  // Values that fill a batch, and frames that take one full batch. They take no answer to a transaction that reads many.
  plan: (plan) => ({
    ...plan,
    clients: 4,
    holders: 0,
    client: { ...plan.client, lanes: 3, thinkMs: 5, valueBytesMax: 2_000 },
    limits: {
      ...plan.limits,
      batchEntriesMax: 16,
      batchBytesMax: 2_000,
      snapshotChunkBytes: 1_000,
      peerFrameBytesMax: 6_000,
      logSegmentBytes: 16_000,
    },
  }),
  nodes: 3,
  seconds: 2,
  faults: [],
  noticedBy: ['no assertion fails'],
};
