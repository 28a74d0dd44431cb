// `zabtree config print`: what a configuration says, or with --effective what comes of it and the environment.
// `zabtree config from-etcd`: the file that stands for a command line of bin/etcd.

import { ConfigError } from '../../config/config-error.js';
import type { FlagValues } from '../../config/config-settings.js';
import { loadNodeConfig, readServerDocument } from '../../config/load-node-config.js';
import { effectiveDocument, withoutSecrets } from '../../config/print-config.js';
import { EtcdUsageError, readEtcdArguments } from '../etcd/etcd-arguments.js';
import { translationOf } from '../etcd/etcd-document.js';
import { environmentName } from '../etcd/etcd-flags.js';
import { note, write } from '../output.js';

export async function runConfigPrint(file: string | undefined, effective: boolean, flags: FlagValues): Promise<void> {
  const document = effective
    ? effectiveDocument(loadNodeConfig({ file, environment: process.env, flags }))
    : withoutSecrets(readServerDocument(file));
  await write(`${JSON.stringify(document, null, 2)}\n`);
}

export async function runConfigFromEtcd(words: readonly string[]): Promise<void> {
  try {
    // Of a flag and its variable the flag counts: the words may come from a process that had the same environment.
    const named = new Set([...readEtcdArguments(words, {}).values.keys()].map(environmentName));
    const environment = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !named.has(variable)));
    const given = readEtcdArguments(words, environment);
    if (given.wants !== 'server') throw new ConfigError(`Cannot make a configuration of --${given.wants}`);
    const { document, warnings } = await translationOf(given);
    for (const warning of warnings) note(`warning: ${warning}`);
    loadNodeConfig({ document, environment: {} });
    await write(`${JSON.stringify(document, null, 2)}\n`);
  } catch (error) {
    if (!(error instanceof EtcdUsageError)) throw error;
    throw new ConfigError(`Cannot read the flags of etcd: ${error.message}`, { cause: error });
  }
}
