// `zabtree rebuild`: the way back for a member whose disk is damaged. Makes sure that the member does not run and that the
// others are a quorum without it, shows what goes, asks, and clears its data directory. The server's next start does the rest.

import { createInterface } from 'node:readline/promises';
import { ConfigError } from '../../config/config-error.js';
import type { FlagValues } from '../../config/config-settings.js';
import { tlsOfServer } from '../../config/load-client-config.js';
import { loadNodeConfig } from '../../config/load-node-config.js';
import type { NodeConfig } from '../../config/node-config.js';
import { askRequestAddresses, claimForRebuild, type RebuildClaim } from '../../server/rebuild.js';
import { StoreError } from '../../shared/errors.js';
import { credentialsOf, openClient, transportOf } from '../connection-options.js';
import { errorText } from '../exit-codes.js';
import { askMembers } from '../member-status.js';
import { note } from '../output.js';
import { tlsOfEnvironment } from '../tls-options.js';
import { statusTable } from './status-command.js';

export interface RebuildAction {
  /** RequestAddr of members that cannot be asked for it. */
  readonly peers: readonly string[];
  readonly timeoutMs: number;
  readonly yes: boolean;
  readonly discard: boolean;
}

/** Any key will do: what counts is that reading it takes a quorum. */
const probeKey = 'zabtree rebuild';

export async function runRebuild(file: string | undefined, flags: FlagValues, action: RebuildAction): Promise<void> {
  const config = loadNodeConfig({ file, environment: process.env, flags });
  if (!action.yes && !process.stdin.isTTY)
    throw new ConfigError('Cannot ask before throwing data away: standard input is no terminal; --yes does without');
  if (config.members.length === 1)
    throw new Error('Cannot rebuild this member: it is the only one, and there is nobody to be filled from');
  const claim = await claimForRebuild(config);
  try {
    await requireQuorum(config, action);
    describe(config, claim, action);
    if (!action.yes && !(await confirmed())) {
      note('nothing was changed');
      return;
    }
    if (action.discard) {
      await claim.discard();
      note(`the old data is gone from "${config.dataDir}"`);
    } else {
      const aside = await claim.putAside();
      note(`the old data is in "${config.dataDir}/${aside}"; remove it when nobody wants to look at it any more`);
    }
    note('start the server now: it joins blank, is filled by the others, and then counts again');
  } finally {
    await claim.release();
  }
}

/**
 * A linearizable read is confirmed by a quorum of those that count, at this moment, and this member is not among them: it
 * does not run. So every committed entry is on enough others, and they do not need this one's promises.
 */
async function requireQuorum(config: NodeConfig, { peers, timeoutMs }: RebuildAction): Promise<void> {
  const asked = await askRequestAddresses(config);
  for (const failure of asked.failures) note(failure);
  const addresses = [...new Set([...peers, ...asked.addresses])].filter((address) => address !== config.requestAddr);
  const cannot = (reason: string): StoreError =>
    new StoreError('NO_QUORUM', `Cannot rebuild this member: ${reason}. Nothing was changed.`);
  if (addresses.length === 0) throw cannot('none of the other members answers');
  const user = process.env['ZABTREE_USER'];
  const target = {
    peers: addresses,
    transport: await transportOf(tlsOfEnvironment(), tlsOfServer(config)),
    ...credentialsOf(user === undefined ? {} : { user }),
  };
  const status = await askMembers(target, timeoutMs);
  process.stderr.write(statusTable(status.members));
  const client = await openClient(target, timeoutMs, { quiet: true });
  try {
    await client.get(probeKey);
  } catch (error) {
    throw cannot(`the others are no quorum without it (${errorText(error)}), and might need what its disk still holds`);
  } finally {
    client.close();
  }
}

function describe({ dataDir }: NodeConfig, { found }: RebuildClaim, action: RebuildAction): void {
  note(
    found.reason === null
      ? `"${dataDir}" has no mark of damage (what is in the log and the tree is not read here)`
      : `"${dataDir}": ${found.reason}`,
  );
  note(`${action.discard ? 'to be removed' : 'to be put aside'}: ${found.names.join(', ')}`);
}

async function confirmed(): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test(
      (await lines.question('Everything that this member has on disk goes. Go on? [y/N] ')).trim(),
    );
  } finally {
    lines.close();
  }
}
