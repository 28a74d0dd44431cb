// The executable `etcd`: its flags, its version and its help; the server itself is loaded when it is to run. Ends with etcd's
// exit codes.

import { etcdServerVersion } from '../../config/etcd-version.js';
import { DamageError } from '../../shared/damage-error.js';
import { exitCodes } from '../exit-codes.js';
import { EtcdUsageError, readEtcdArguments } from './etcd-arguments.js';
import { etcdFlags } from './etcd-flags.js';

/** Runs one command line (without node and script). */
export async function runEtcdMain(words: readonly string[]): Promise<void> {
  try {
    const given = readEtcdArguments(words, process.env);
    if (given.wants === 'version') process.stdout.write(versionText());
    else if (given.wants === 'help') process.stdout.write(helpText());
    else {
      const { runEtcd } = await import('./etcd-command.js');
      await runEtcd(given);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const wrongFlags = error instanceof EtcdUsageError;
    process.stderr.write(
      wrongFlags ? `etcd: error verifying flags, ${message}. See 'etcd --help'.\n` : `etcd: ${message}\n`,
    );
    process.exitCode = wrongFlags
      ? error.exitCode
      : error instanceof DamageError
        ? exitCodes.damaged
        : exitCodes.failed;
  }
}

function versionText(): string {
  const { version, platform, arch } = process;
  return `etcd Version: ${etcdServerVersion}\nGit SHA: zabtree\nGo Version: none, Node.js ${version}\nGo OS/Arch: ${platform}/${arch}\n`;
}

function helpText(): string {
  const lines = Object.entries(etcdFlags).map(([name, { fate, byDefault, countsHere = byDefault, why }]) => {
    const meaning = fate === 'used' ? '' : ` (${fate === 'ignored' ? 'no effect' : 'not supported'}: ${why})`;
    return `  --${name} '${countsHere}'${meaning}\n`;
  });
  return `Usage: etcd [flags]\n\nThe flags of etcd and what they are by default; each may be given as ETCD_… as well.\n\n${lines.join('')}`;
}
