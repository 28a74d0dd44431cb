// The mark of a data directory in which a running node found damage: the next boot refuses until the node was rebuilt.
// What a boot finds needs no mark, the next one finds it again. Written in one go, by a process that is about to end.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { decodeCheckedFile, encodeCheckedFile } from './checked-file.js';
import { temporarySuffix, toError } from './durable-files.js';

export const damageMarkName = 'damage';
const format = { kind: 'damage', version: 1 };

/** Blocks until the mark is on disk. Returns why it could not be written, null when it was. */
export function writeDamageMark(directory: string, reason: string, foundAt: Date): Error | null {
  const file = path.join(directory, damageMarkName);
  try {
    syncedWrite(file + temporarySuffix, encodeCheckedFile(format, { reason, foundAt: foundAt.toISOString() }));
    renameSync(file + temporarySuffix, file);
    const descriptor = openSync(directory, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    return null;
  } catch (error) {
    return toError(error);
  }
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

function syncedWrite(file: string, text: string): void {
  const descriptor = openSync(file, 'w', 0o644);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
