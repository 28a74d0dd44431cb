// Quorum arithmetic over a fixed membership: how many are enough, and what a quorum has made durable. Knows no roles.

import type { Zxid } from '../shared/ids.js';

/** The least number of voters that any two such sets share a member: a majority. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/**
 * Greatest zxid that at least `quorum` of these durable ends have reached; undefined when they are fewer. `ends` is the
 * caller's scratch and is put in descending order; a handful of voters, so plain insertion.
 */
export function quorumDurable(ends: Zxid[], quorum: number): Zxid | undefined {
  for (let i = 1; i < ends.length; i++) {
    const value = ends[i] as Zxid;
    let at = i;
    while (at > 0 && (ends[at - 1] as Zxid) < value) {
      ends[at] = ends[at - 1] as Zxid;
      at--;
    }
    ends[at] = value;
  }
  return ends[quorum - 1];
}
