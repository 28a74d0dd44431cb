// An answer judged by what is not committed.

import { answer } from '../../../src/ensemble/request.js';
import { type Mutation, replace } from '../mutation.js';

export const answerFromStagedState: Mutation = {
  id: 'answer-from-staged-state',
  source: 'zabtree',
  broken:
    'A command without effect is answered at once, by proposals that may never commit and a leader that may be deposed.',
  leaves: [
    replace<typeof import('../../../src/ensemble/confirmed-answers.js')>(
      'ensemble/confirmed-answers',
      ({ ConfirmedAnswers }) => ({
        ConfirmedAnswers: class extends ConfirmedAnswers {
          override add({ request, result }: Parameters<InstanceType<typeof ConfirmedAnswers>['add']>[0]): void {
            answer(request, result);
          }
        },
      }),
    ),
  ],
  nodes: 3,
  seconds: 4,
  faults: ['isolateLeader', 'freezeLeader', 'crashLeader', 'cutLink'],
  noticedBy: ['revisions respect real time', 'linearizable', 'revisions never go back for a client'],
};
