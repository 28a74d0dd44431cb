// Exactly once, forgotten.

import { type Mutation, replace } from '../mutation.js';

export const requestsExecutedAgain: Mutation = {
  id: 'requests-executed-again',
  source: 'zabtree',
  broken: 'The results of requests are not remembered, so a repeated request is executed again.',
  leaves: [
    replace<typeof import('../../../src/tree/session-table.js')>('tree/session-table', ({ SessionTable }) => ({
      SessionTable: class extends SessionTable {
        override lookup(): undefined {
          return undefined;
        }
      },
    })),
  ],
  nodes: 3,
  seconds: 4,
  noticedBy: ['a request happens once', 'linearizable', 'an answer names its own commit'],
};
