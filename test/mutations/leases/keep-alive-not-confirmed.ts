// A deposed leader renews.

import { answer } from '../../../src/ensemble/request.js';
import { type Mutation, replace } from '../mutation.js';

export const keepAliveNotConfirmed: Mutation = {
  id: 'keep-alive-not-confirmed',
  source: 'zabtree',
  broken:
    'A keep-alive is answered at once, by a leader that may have been deposed, so a lease is renewed that is ended elsewhere.',
  leaves: [
    replace<typeof import('../../../src/ensemble/confirmed-answers.js')>(
      'ensemble/confirmed-answers',
      ({ ConfirmedAnswers }) => ({
        ConfirmedAnswers: class extends ConfirmedAnswers {
          override add(unconfirmed: Parameters<InstanceType<typeof ConfirmedAnswers>['add']>[0]): void {
            const { request, result } = unconfirmed;
            if (request.envelope.command.type === 'leaseKeepAlive') answer(request, result);
            else super.add(unconfirmed);
          }
        },
      }),
    ),
  ],
  plan: (plan) => ({ ...plan, holders: 4, client: { ...plan.client, thinkMs: 15 } }),
  nodes: 3,
  seconds: 10,
  faults: ['isolateLeader', 'freezeLeader', 'crashLeader'],
  noticedBy: [
    'a lease is there when it is said to be',
    'a lease ends no earlier than was told',
    'no answer is older than one before it',
  ],
};
