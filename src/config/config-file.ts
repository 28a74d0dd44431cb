// Reads a configuration file: usually a JSON object, with errors that name the file and the line.

import { readFileSync, statSync } from 'node:fs';
import { ConfigError } from './config-error.js';
import type { ConfigDocument } from './config-settings.js';

/** A configuration file is a few kilobytes; a mistaken path to something huge is refused before it is parsed. */
const fileBytesMax = 1024 * 1024;

export function readConfigFile(file: string): ConfigDocument {
  const text = readConfigText(file);
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

/** The text of a file in UTF-8, without the mark that some editors begin it with. */
export function readConfigText(file: string): string {
  let bytes: Buffer;
  try {
    requireSmall(file, statSync(file).size);
    bytes = readFileSync(file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`Cannot read configuration "${file}": ${reasonOf(error)}`, { cause: error });
  }
  // What is no file on a disk has no size before it is read.
  requireSmall(file, bytes.length);
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

function requireSmall(file: string, size: number): void {
  if (size <= fileBytesMax) return;
  throw new ConfigError(`Cannot use configuration "${file}": it has ${size} bytes, expected at most ${fileBytesMax}`);
}

/** One clear error for everything that is wrong with a configuration. */
export function configErrorOf(source: string, problems: readonly string[]): ConfigError {
  return new ConfigError(`Cannot use ${source}: ${problems.join(`\n${' '.repeat(4)}and: `)}`);
}

/** For a person, where the file system's own words say little. */
export function reasonOf(error: unknown): string {
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
