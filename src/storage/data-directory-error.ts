// Why a data directory cannot be used. The message is for the operator and names the directory.

import { DamageError } from '../shared/damage-error.js';

export class DataDirectoryError extends Error {
  override readonly name = 'DataDirectoryError';
  readonly directory: string;

  constructor(directory: string, reason: string, options: { readonly cause?: unknown } = {}) {
    super(`Cannot open data directory "${directory}": ${reason}`, options);
    this.directory = directory;
  }
}

/** Something in the directory is damaged or missing that was there: the node is to be rebuilt. */
export function directoryDamage(directory: string, reason: string, cause?: unknown): DamageError {
  return new DamageError(`Cannot open data directory "${directory}": ${reason}`, { cause });
}
