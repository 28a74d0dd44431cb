// The server as etcd's supervisors know it: one member, configured by etcd's flags, that says when it is ready, stops on
// SIGTERM, and ends as etcd does.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadNodeConfig } from '../../config/load-node-config.js';
import { serve, shellWords } from '../commands/server-command.js';
import type { EtcdArguments } from './etcd-arguments.js';
import { translationOf } from './etcd-document.js';

/** To the letter: supervisors wait for it. */
const readyLine = 'ready to serve client requests';

export async function runEtcd(given: EtcdArguments): Promise<void> {
  const { document, warnings } = await translationOf(given);
  for (const warning of warnings) line(`warning: ${warning}`);
  const config = loadNodeConfig({ document, environment: {} });
  refuseEtcdData(config.dataDir);
  await serve(config, {
    rebuildCommands: rebuildCommands(given),
    onServing: () => line(readyLine),
    stopped: endAsEtcd,
  });
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

/** Members have no flag in `zabtree rebuild`: a file has to name them. */
function rebuildCommands({ values, configFile }: EtcdArguments): readonly string[] {
  const flags =
    configFile === undefined ? [...values].map(([name, value]) => `--${name}=${value}`) : ['--config-file', configFile];
  const file = 'member.json';
  return [
    `${shellWords(['zabtree', 'config', 'from-etcd', '--', ...flags])} > ${file}`,
    shellWords(['zabtree', 'rebuild', '--config', file]),
  ];
}
