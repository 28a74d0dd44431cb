// A renewal that the next leader does not know of.

import { type Mutation, replace } from '../mutation.js';

export const checkpointNotTakenBack: Mutation = {
  id: 'checkpoint-not-taken-back',
  source: 'zabtree',
  broken:
    'A keep-alive leaves the remaining time that was written down before it, and the next leader starts from there.',
  leaves: [
    replace<typeof import('../../../src/tree/lease-commands.js')>('tree/lease-commands', ({ keepLeaseAlive }) => ({
      keepLeaseAlive: (command, view) => {
        const outcome = keepLeaseAlive(command, view);
        return outcome.type === 'effect' ? { ...outcome, operations: [] } : outcome;
      },
    })),
  ],
  plan: (plan) => ({
    ...plan,
    clients: 1,
    holders: 8,
    client: { ...plan.client, thinkMs: 250 },
    faultEveryMs: 3_000,
    timing: { ...plan.timing, leaseCheckpointIntervalMs: 500 },
  }),
  nodes: 3,
  seconds: 30,
  faults: ['crashLeader', 'isolateLeader'],
  noticedBy: ['a lease ends no earlier than was told'],
};
