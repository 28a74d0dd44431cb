// Records behind the point where a log was cut.

import { type Mutation, replace } from '../mutation.js';

export const staleRecordsBehindTruncation: Mutation = {
  id: 'stale-records-behind-truncation',
  source: 'zabtree',
  broken: 'A truncation leaves the records behind its point in the segment, where the next boot reads them.',
  leaves: [
    replace<typeof import('../../../src/storage/log-truncation.js')>(
      'storage/log-truncation',
      ({ removeFromPosition }) => ({
        // Segments that end where they begin have nothing to be overwritten.
        removeFromPosition: (files, segments, position) =>
          removeFromPosition(
            files,
            segments.map((segment) => ({ ...segment, end: 0 })),
            position,
          ),
      }),
    ),
  ],
  // Truncations and machines that go down soon after.
  plan: (plan) => ({ ...plan, faultEveryMs: 120, client: { ...plan.client, thinkMs: 10 } }),
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'machineDown', 'crashLoop'],
  noticedBy: [
    'any crash point restarts',
    'a disk keeps what it synced',
    'told where its log ends',
    'committed prefixes are equal',
  ],
};
