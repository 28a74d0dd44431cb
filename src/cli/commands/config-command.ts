// `zabtree config print`: what a configuration says, or with --effective what comes of it and the environment.

import type { FlagValues } from '../../config/config-settings.js';
import { loadNodeConfig, readServerDocument } from '../../config/load-node-config.js';
import { effectiveDocument, withoutSecrets } from '../../config/print-config.js';
import { write } from '../output.js';

export async function runConfigPrint(file: string | undefined, effective: boolean, flags: FlagValues): Promise<void> {
  const document = effective
    ? effectiveDocument(loadNodeConfig({ file, environment: process.env, flags }))
    : withoutSecrets(readServerDocument(file));
  await write(`${JSON.stringify(document, null, 2)}\n`);
}
