// `zabtree snapshot restore`: a data directory for one member of a new ensemble, from a snapshot. Starts no server and asks
// nobody: there is no ensemble yet.

import type { FlagValues } from '../../config/config-settings.js';
import { loadNodeConfig } from '../../config/load-node-config.js';
import { restoreSnapshot } from '../../server/restore.js';
import { counted, note } from '../output.js';

export interface RestoreAction {
  readonly file: string;
  readonly skipChecksum: boolean;
}

export async function runRestore(
  configFile: string | undefined,
  flags: FlagValues,
  { file, skipChecksum }: RestoreAction,
): Promise<void> {
  const config = loadNodeConfig({ file: configFile, environment: process.env, flags });
  const restored = await restoreSnapshot({ config, file, skipChecksum });
  const { revision, compactedRevision, versions, leases, users, foreignPasswords, accessEnabled } = restored;
  note(`"${config.dataDir}" is at revision ${revision}, compacted up to ${compactedRevision}`);
  note(`it has ${counted(versions, 'version')} of keys, ${counted(leases, 'lease')} and ${counted(users, 'user')}`);
  if (foreignPasswords > 0) {
    const consequence = accessEnabled ? ', and access control is on: only a client certificate gets anybody in' : '';
    note(`${foreignPasswords} of them have a password that cannot be verified here${consequence}`);
  }
  if (config.members.length > 1) {
    note('restore the other members from the same file, then start all of them: they form a new ensemble');
  }
}
