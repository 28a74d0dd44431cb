// The configuration that a command line of etcd stands for, whether its flags or its file say it.

import type { EtcdArguments } from './etcd-arguments.js';
import { type Translation, translate } from './etcd-translation.js';

export async function translationOf({ values, warnings, configFile }: EtcdArguments): Promise<Translation> {
  const translation = translate(configFile === undefined ? values : await valuesOf(configFile));
  return { document: translation.document, warnings: [...warnings, ...translation.warnings] };
}

/** Few have a file: who has none need not load what reads it. */
async function valuesOf(configFile: string): Promise<ReadonlyMap<string, string>> {
  const { readEtcdConfigFile } = await import('./etcd-config-file.js');
  return readEtcdConfigFile(configFile);
}
