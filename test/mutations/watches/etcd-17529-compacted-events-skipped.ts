// A watch that fell behind what was compacted.

import type { Revision } from '../../../src/shared/ids.js';
import { type Mutation, replace } from '../mutation.js';

export const compactedEventsSkipped: Mutation = {
  id: 'etcd-17529-compacted-events-skipped',
  source: 'etcd: 17529',
  broken: 'A watch that asks for what was compacted goes on behind it and is not told that it missed something.',
  leaves: [
    replace<typeof import('../../../src/tree/tree-reads.js')>('tree/tree-reads', ({ readChanges }) => ({
      readChanges: (layers, readable, wanted) => {
        const from = Math.max(wanted.from, readable.compactedRevision + 1) as Revision;
        return readChanges(layers, readable, { ...wanted, from });
      },
    })),
  ],
  // Watches seldom fall behind where history is seldom compacted.
  plan: (plan) => ({ ...plan, compactEveryMs: 200 }),
  nodes: 3,
  seconds: 4,
  faults: ['crash', 'pause', 'partition'],
  noticedBy: ['watches lose, repeat and reorder nothing'],
};
