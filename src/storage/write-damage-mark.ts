// Puts the mark of damage into a data directory: in one go, by a process that is about to end.

import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';
import { damageMarkName, damageMarkText } from './damage-mark.js';
import { temporarySuffix, toError } from './durable-files.js';

/**
 * Blocks until the mark is on disk. Returns why there is none, null when there is. On a full disk it is a mark that says
 * less or nothing: it refuses a boot all the same, and needs no more than a name.
 */
export function writeDamageMark(directory: string, reason: string, foundAt: Date): Error | null {
  const file = path.join(directory, damageMarkName);
  try {
    const mark = openSync(file + temporarySuffix, 'w', 0o644);
    try {
      writeAsFarAsPossible(mark, damageMarkText(reason, foundAt));
    } finally {
      closeSync(mark);
    }
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

function writeAsFarAsPossible(descriptor: number, text: string): void {
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } catch {
    // The name is what counts, and the reason is in the process's log.
  }
}
