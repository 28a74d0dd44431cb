// What a lease leaves behind.

import { type Mutation, replace } from '../mutation.js';

export const keysOutliveLease: Mutation = {
  id: 'keys-outlive-lease',
  source: 'zabtree',
  broken: 'A lease that ends leaves the last of its keys behind.',
  leaves: [
    replace<typeof import('../../../src/tree/lease-commands.js')>('tree/lease-commands', ({ revokeLease }) => ({
      revokeLease: (...given) => {
        const outcome = revokeLease(...given);
        if (outcome.type !== 'effect') return outcome;
        const last = outcome.operations.filter(({ type }) => type === 'delete').at(-2);
        return { ...outcome, operations: outcome.operations.filter((operation) => operation !== last) };
      },
    })),
  ],
  plan: (plan) => ({ ...plan, holders: 3 }),
  nodes: 3,
  seconds: 5,
  faults: [],
  noticedBy: ['a lease takes its keys with it, and no others'],
};
