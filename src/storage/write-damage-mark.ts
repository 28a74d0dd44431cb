// Puts the mark of damage into a data directory: in one go, by a process that is about to end.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { damageMarkName, damageMarkText } from './damage-mark.js';
import { temporarySuffix, toError } from './durable-files.js';

/** Blocks until the mark is on disk. Returns why it could not be written, null when it was. */
export function writeDamageMark(directory: string, reason: string, foundAt: Date): Error | null {
  const file = path.join(directory, damageMarkName);
  try {
    syncedWrite(file + temporarySuffix, damageMarkText(reason, foundAt));
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

function syncedWrite(file: string, text: string): void {
  const descriptor = openSync(file, 'w', 0o644);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
