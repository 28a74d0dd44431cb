// Reads a configuration file: a JSON object, with errors that name the file and the line.

import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error.js';
import type { ConfigDocument } from './config-settings.js';

/** A configuration file is a few kilobytes; a mistaken path to something huge is refused before it is parsed. */
const fileBytesMax = 1024 * 1024;

export function readConfigFile(file: string): ConfigDocument {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ConfigError(`Cannot read configuration "${file}": ${reasonOf(error)}`, { cause: error });
  }
  if (bytes.length > fileBytesMax) {
    throw new ConfigError(
      `Cannot use configuration "${file}": it has ${bytes.length} bytes, expected at most ${fileBytesMax}`,
    );
  }
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`Cannot parse configuration "${file}"${placeOf(error, text)}: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new ConfigError(`Cannot use configuration "${file}": expected a JSON object`);
  }
  return document as ConfigDocument;
}

/** One clear error for everything that is wrong with a configuration. */
export function configErrorOf(source: string, problems: readonly string[]): ConfigError {
  return new ConfigError(`Cannot use ${source}: ${problems.join(`\n${' '.repeat(4)}and: `)}`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  if (code === 'EACCES') return 'permission denied';
  return error.message;
}

function placeOf(error: unknown, text: string): string {
  const position = error instanceof Error ? /position (\d+)/.exec(error.message)?.[1] : undefined;
  if (position === undefined) return '';
  const before = text.slice(0, Number(position)).split('\n');
  return `, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
