// Transaction ids compared as text.

import type { Ballot } from '../../../src/zab/messages.js';
import { type Mutation, replace } from '../mutation.js';

export const decimalZxids: Mutation = {
  id: 'gometa-decimal-zxids',
  source: 'gometa',
  broken:
    'Histories are compared as decimal text, where the third epoch (11 digits) is less than the second (10 digits).',
  leaves: [
    replace<typeof import('../../../src/zab/ballot.js')>('zab/ballot', () => ({
      compareBallots: (a: Ballot, b: Ballot) =>
        textOrder(a.epoch, b.epoch) || textOrder(a.lastZxid, b.lastZxid) || a.serverId - b.serverId,
    })),
    replace<typeof import('../../../src/zab/discovery.js')>('zab/discovery', () => ({
      isHistoryAhead: (a, b) => (textOrder(a.currentEpoch, b.currentEpoch) || textOrder(a.lastZxid, b.lastZxid)) > 0,
    })),
  ],
  nodes: 3,
  seconds: 10,
  faults: ['crashLeader', 'crash', 'isolateLeader'],
  noticedBy: [
    'a new leader holds everything committed',
    'committed is never truncated',
    'no acknowledged write is lost',
  ],
};

function textOrder(a: number, b: number): number {
  const [first, second] = [String(a), String(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}
