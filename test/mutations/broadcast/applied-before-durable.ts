// Delivery ahead of the own disk.

import type { ZabState } from '../../../src/zab/state.js';
import { type Mutation, replace } from '../mutation.js';

export const appliedBeforeDurable: Mutation = {
  id: 'applied-before-durable',
  source: 'zabtree',
  broken: 'Committed entries are applied before they are durable in the log of the node that applies them.',
  leaves: [
    replace<typeof import('../../../src/zab/broadcast.js')>('zab/broadcast', () => ({
      deliverCommitted: (state: ZabState, out) => {
        const through = state.committed < state.history.last ? state.committed : state.history.last;
        if (through <= state.delivered) return;
        state.delivered = through;
        out.push({ type: 'deliver', through });
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['applied is durable here', 'no assertion fails'],
};
