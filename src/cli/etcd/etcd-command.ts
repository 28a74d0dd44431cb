// The server as etcd's supervisors know it: one member, configured by etcd's flags, that says when it is ready, stops on
// SIGTERM, and ends as etcd does.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadNodeConfig } from '../../config/load-node-config.js';
import type { NodeConfig } from '../../config/node-config.js';
import { serve } from '../commands/server-command.js';
import type { EtcdArguments } from './etcd-arguments.js';
import { translate } from './etcd-translation.js';

/** To the letter: supervisors wait for it. */
const readyLine = 'ready to serve client requests';

export async function runEtcd({ values, warnings, configFile }: EtcdArguments): Promise<void> {
  const translation = translate(configFile === undefined ? values : await valuesOf(configFile));
  for (const warning of [...warnings, ...translation.warnings]) line(`warning: ${warning}`);
  const config = loadNodeConfig({ document: translation.document, environment: {} });
  refuseEtcdData(config.dataDir);
  await serve(config, {
    rebuildWords: rebuildWords(config),
    onServing: () => line(readyLine),
    stopped: endAsEtcd,
  });
}

/** Few have a file: who has none need not load what reads it. */
async function valuesOf(configFile: string): Promise<ReadonlyMap<string, string>> {
  const { readEtcdConfigFile } = await import('./etcd-config-file.js');
  return readEtcdConfigFile(configFile);
}

function line(text: string): void {
  process.stderr.write(`etcd: ${text}\n`);
}

/** etcd hands the signal on to itself once it has stopped; the first process of a container takes none and exits. */
function endAsEtcd(signal: NodeJS.Signals | null, exitCode: number): void {
  if (signal === null || process.pid === 1) process.exit(exitCode);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/** The data of a real etcd is taken over by a command, not in passing. */
function refuseEtcdData(dataDir: string): void {
  const database = join(dataDir, 'member', 'snap', 'db');
  if (!existsSync(database)) return;
  const restore = `zabtree snapshot restore --skip-hash-check ${database} --data-dir DIRECTORY`;
  throw new Error(
    `Cannot use data directory "${dataDir}": it is of a real etcd. Stop that, and give its data to a new directory by: ${restore}`,
  );
}

function rebuildWords({ dataDir, self, members, requestAddr, ensembleName }: NodeConfig): readonly string[] {
  const words = ['zabtree', 'rebuild', '--data-dir', dataDir, '--ensemble-name', ensembleName];
  words.push('--election-addr', self.electionAddr, '--message-addr', self.messageAddr, '--request-addr', requestAddr);
  // The other members have no flag: a file has to name them.
  return members.length === 1 ? words : [...words, '--config', 'FILE-WITH-THE-PEERS'];
}
