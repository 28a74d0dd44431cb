// How much a command adds to a batch, before it is executed: a batch is cut by this, and a frame takes any such batch.

import type { CommandEnvelope } from '../tree/command.js';

/** Rough bytes of an entry around its key and value. */
const entryOverheadBytes = 64;

export function commandBytes({ command }: CommandEnvelope): number {
  switch (command.type) {
    case 'add':
    case 'set':
      return command.key.length + command.value.length + entryOverheadBytes;
    case 'delete':
      return command.key.length + entryOverheadBytes;
    default:
      return entryOverheadBytes;
  }
}
