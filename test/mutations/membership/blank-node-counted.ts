// A lost disk that counts as if nothing had happened.

import { type Mutation, replace } from '../mutation.js';

export const blankNodeCounted: Mutation = {
  id: 'blank-node-counted',
  source: 'zabtree',
  broken: 'A node that came back from a lost disk is counted in elections and in quorums at once.',
  leaves: [
    replace<typeof import('../../../src/zab/voters.js')>('zab/voters', ({ isVoterOf }) => ({
      isVoterOf: (record, ensembleId) => record.ensembleId === null || isVoterOf(record, ensembleId),
    })),
    replace<typeof import('../../../src/zab/discovery.js')>('zab/discovery', ({ admissionOf, judgeOffer }) => ({
      admissionOf: (...given) => {
        const admission = admissionOf(...given);
        return admission === 'joining' ? 'voter' : admission;
      },
      judgeOffer: (record, offer, logIsEmpty) => {
        const blank = record.ensembleId === null && offer.admission === 'voter';
        return judgeOffer(record, blank ? { ...offer, admission: 'forming' } : offer, logIsEmpty);
      },
    })),
  ],
  nodes: 3,
  seconds: 6,
  faults: ['loseDisk', 'crashLeader', 'isolateLeader', 'slowDisk'],
  noticedBy: [
    'one leader per epoch',
    'only those who count make a quorum',
    'a new leader holds everything committed',
    'committed prefixes are equal',
    'no acknowledged write is lost',
  ],
};
