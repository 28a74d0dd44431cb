// Order of ballots (zab.md, Election): what the candidates of an election are compared by. A hint only, like the election.

import type { Ballot } from './messages.js';

/** Greater than 0 if `a` is the better ballot. */
export function compareBallots(a: Ballot, b: Ballot): number {
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (a.lastZxid !== b.lastZxid) return a.lastZxid - b.lastZxid;
  return a.serverId - b.serverId;
}
