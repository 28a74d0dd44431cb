// The mark of a data directory in which a running node found damage: the next boot refuses until the node was rebuilt.
// What a boot finds needs no mark, the next one finds it again. Its text only; write-damage-mark.ts puts it on the disk.

import { decodeCheckedFile, encodeCheckedFile } from './checked-file.js';
import { toError } from './durable-files.js';

export const damageMarkName = 'damage';
const format = { kind: 'damage', version: 1 };

export function damageMarkText(reason: string, foundAt: Date): string {
  return encodeCheckedFile(format, { reason, foundAt: foundAt.toISOString() });
}

/** What the mark says. One that cannot be read is a mark all the same. */
export function describeDamageMark(text: string): string {
  try {
    const { reason, foundAt } = decodeCheckedFile(format, text);
    return `damage was found in it at ${String(foundAt)}: ${String(reason)}`;
  } catch (error) {
    return `damage was found in it, and the mark that says what cannot be used: ${toError(error).message}`;
  }
}
