// `zabtree status`: role and position of every member.

import { formatZxid, toZxid } from '../../shared/ids.js';
import { type ConnectionFlags, type OutputFlags, targetOf } from '../connection-options.js';
import { exitCodes } from '../exit-codes.js';
import { askMembers, type MemberStatus } from '../member-status.js';
import { note, table, write, writeJson } from '../output.js';

export async function runStatus(flags: ConnectionFlags & OutputFlags): Promise<void> {
  const status = await askMembers(await targetOf(flags), flags.timeout);
  if (flags.output === 'json') await writeJson({ members: status.members });
  else await write(statusTable(status.members));
  for (const [peer, reason] of status.failures) note(`${peer}: ${reason}`);
  if (status.answered === 0) process.exitCode = exitCodes.unavailable;
}

export function statusTable(members: readonly MemberStatus[]): string {
  const heading = ['id', 'role', 'zxid', 'revision', 'ElectionAddr', 'MessageAddr', 'RequestAddr'];
  const rows = members.map((member) => [
    String(member.id ?? '?'),
    member.role,
    member.zxid === null ? '-' : formatZxid(toZxid(member.zxid)),
    String(member.revision ?? '-'),
    member.ElectionAddr ?? '?',
    member.MessageAddr ?? '?',
    member.RequestAddr ?? '?',
  ]);
  return table([heading, ...rows]);
}
