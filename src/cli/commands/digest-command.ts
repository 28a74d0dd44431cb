// `zabtree digest`: a hash of one node's records, or a comparison of all nodes at one checkpoint.

import type { DigestAnswer } from '../../client/zabtree-client.js';
import { formatZxid } from '../../shared/ids.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { exitCodes } from '../exit-codes.js';
import { note, table, write, writeJson } from '../output.js';

export interface DigestFlags extends ConnectionFlags, OutputFlags {
  readonly all?: boolean;
}

export async function runDigest(flags: DigestFlags): Promise<void> {
  if (flags.all === true) {
    await compareAll(flags);
    return;
  }
  const { zxid, revision, digest } = await withClient(flags, (client) => client.digest());
  if (flags.output === 'json') await writeJson({ zxid, revision, digest });
  else
    await write(
      table([
        ['zxid', 'revision', 'digest'],
        [formatZxid(zxid), String(revision), digest],
      ]),
    );
}

async function compareAll(flags: DigestFlags): Promise<void> {
  const digests = await withClient(flags, (client) => client.digestAll());
  const equal = digestsAgree(digests);
  if (flags.output === 'json') {
    await writeJson({
      equal,
      digests: digests.map(({ id, zxid, revision, digest }) => ({ id, zxid, revision, digest })),
    });
  } else {
    await write(digestTable(digests));
    note(agreementText(digests));
  }
  if (!equal) process.exitCode = exitCodes.failed;
}

function digestsAgree(digests: readonly DigestAnswer[]): boolean {
  return new Set(digests.map((answer) => `${answer.zxid} ${answer.revision} ${answer.digest}`)).size === 1;
}

export function agreementText(digests: readonly DigestAnswer[]): string {
  if (!digestsAgree(digests)) return 'the nodes differ';
  return digests.length === 1 ? 'there is 1 node: nothing to compare' : `${digests.length} nodes agree`;
}

export function digestTable(digests: readonly DigestAnswer[]): string {
  const rows = digests.map(({ id, zxid, revision, digest }) => [
    String(id),
    formatZxid(zxid),
    String(revision),
    digest,
  ]);
  return table([['id', 'zxid', 'revision', 'digest'], ...rows]);
}
