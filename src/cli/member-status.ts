// The state of every member, asked of each member itself: first the peers given, then those that they name. A member that
// does not answer is listed as unreachable.

import type { StatusResult } from '../client/zabtree-client.js';
import type { NativeMember } from '../wire/native-messages.js';
import { openClient, type Target } from './connection-options.js';

/** As `status -o json` prints it; null where it cannot be known. */
export interface MemberStatus {
  readonly id: number | null;
  readonly role: 'leader' | 'follower' | 'looking' | 'unreachable';
  readonly zxid: number | null;
  readonly revision: number | null;
  readonly ElectionAddr: string | null;
  readonly MessageAddr: string | null;
  readonly RequestAddr: string | null;
}

export interface EnsembleStatus {
  readonly members: readonly MemberStatus[];
  /** Why peers did not answer, by their address. */
  readonly failures: ReadonlyMap<string, string>;
  readonly answered: number;
}

/** Nobody has to log in for this. */
export async function askMembers(
  { peers, transport }: Omit<Target, 'credentials'>,
  timeoutMs: number,
): Promise<EnsembleStatus> {
  const answers = new Map<number, StatusResult>();
  const failures = new Map<string, string>();
  const asked = new Set<string>();
  for (let round = [...peers]; round.length > 0; round = unasked(answers, asked)) {
    for (const peer of round) asked.add(peer);
    await Promise.all(
      round.map(async (peer) => {
        try {
          const status = await askOne({ peers: [peer], transport }, timeoutMs);
          answers.set(status.id, status);
        } catch (error) {
          failures.set(peer, error instanceof Error ? error.message : String(error));
        }
      }),
    );
  }
  return { members: membersOf(answers, peers), failures, answered: answers.size };
}

async function askOne(target: Target, timeoutMs: number): Promise<StatusResult> {
  const client = await openClient(target, timeoutMs, { quiet: true });
  try {
    return await client.status();
  } finally {
    client.close();
  }
}

/** Members whose address is known from the answers, and who have neither answered nor been asked. */
function unasked(answers: ReadonlyMap<number, StatusResult>, asked: ReadonlySet<string>): string[] {
  return [...knownMembers(answers).values()]
    .filter((member) => !answers.has(member.id) && member.requestAddr !== '' && !asked.has(member.requestAddr))
    .map((member) => member.requestAddr);
}

/** By id. A member's own word on its client port counts more than the others', who may not know it. */
function knownMembers(answers: ReadonlyMap<number, StatusResult>): Map<number, NativeMember> {
  const known = new Map<number, NativeMember>();
  for (const answer of answers.values()) {
    for (const member of answer.members) {
      const before = known.get(member.id);
      const better = before === undefined || member.id === answer.id || before.requestAddr === '';
      if (better) known.set(member.id, member);
    }
  }
  return known;
}

function membersOf(answers: ReadonlyMap<number, StatusResult>, peers: readonly string[]): MemberStatus[] {
  if (answers.size === 0) return peers.map(strangerAt);
  return [...knownMembers(answers).values()]
    .sort((a, b) => (a.messageAddr < b.messageAddr ? -1 : 1))
    .map((member) => {
      const answer = answers.get(member.id);
      return {
        id: member.id,
        role: answer?.role ?? 'unreachable',
        zxid: answer?.zxid ?? null,
        revision: answer?.revision ?? null,
        ElectionAddr: member.electionAddr,
        MessageAddr: member.messageAddr,
        RequestAddr: member.requestAddr === '' ? null : member.requestAddr,
      };
    });
}

function strangerAt(peer: string): MemberStatus {
  return {
    id: null,
    role: 'unreachable',
    zxid: null,
    revision: null,
    ElectionAddr: null,
    MessageAddr: null,
    RequestAddr: peer,
  };
}
