// Reads a configuration file: usually a JSON object, with errors that name the file and the line.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { ConfigError } from './config-error.js';
import type { ConfigDocument } from './config-settings.js';

/** A configuration file is a few kilobytes; a mistaken path to something huge is refused before it is parsed. */
const fileBytesMax = 1024 * 1024;
/** Objects and lists in each other; a configuration has five. What reads one goes into each with a call of its own. */
export const configDepthMax = 64;

export function readConfigFile(file: string): ConfigDocument {
  const text = readConfigText(file);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const { reason, position } = jsonProblemOf(error, text);
    throw new ConfigError(`Cannot parse configuration "${file}"${placeOf(position, text)}: ${reason}`, {
      cause: error,
    });
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new ConfigError(`Cannot use configuration "${file}": expected a JSON object`);
  }
  if (nestsDeeper(document, configDepthMax)) {
    throw new ConfigError(`Cannot use configuration "${file}": it nests deeper than ${configDepthMax}`);
  }
  return document as ConfigDocument;
}

/** Level by level, as no stack is too short for. */
function nestsDeeper(document: object, depthMax: number): boolean {
  let level: readonly object[] = [document];
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > depthMax) return true;
    level = level.flatMap((outer) =>
      Object.values(outer).filter((inner) => typeof inner === 'object' && inner !== null),
    );
  }
  return false;
}

/** The text of a file in UTF-8, without the mark that some editors begin it with. */
export function readConfigText(file: string): string {
  let bytes: Buffer;
  try {
    bytes = readSmall(file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`Cannot read configuration "${file}": ${reasonOf(error)}`, { cause: error });
  }
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

/** What is no file on a disk has no size before it is read, and may have no end. */
function readSmall(file: string): Buffer {
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    if (size > fileBytesMax) throw tooLarge(file, `it has ${size} bytes`);
    const memory = Buffer.alloc(fileBytesMax + 1);
    let length = 0;
    while (length < memory.length) {
      const count = readSync(handle, memory, length, memory.length - length, null);
      if (count === 0) return memory.subarray(0, length);
      length += count;
    }
    throw tooLarge(file, 'it has more');
  } finally {
    closeSync(handle);
  }
}

function tooLarge(file: string, found: string): ConfigError {
  return new ConfigError(`Cannot use configuration "${file}": ${found}, expected at most ${fileBytesMax} bytes`);
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

/** Characters of the text that the parser repeats on each side of what it did not expect. */
const contextLength = 10;

/** The parser may repeat what stands around a mistake, which may be a secret: it tells where to look, and that is enough. */
function jsonProblemOf(
  error: unknown,
  text: string,
): { readonly reason: string; readonly position: number | undefined } {
  const reason = reasonOf(error);
  const [, problem, cut, context = '', cutBehind] =
    /^(.*?), (\.\.\.)?"(.*)"(\.\.\.)? is not valid JSON$/s.exec(reason) ?? [];
  if (problem === undefined) {
    const position = /position (\d+)/.exec(reason)?.[1];
    return { reason, position: position === undefined ? undefined : Number(position) };
  }
  if (cut !== undefined) return { reason: problem, position: text.indexOf(context) + contextLength };
  return { reason: problem, position: cutBehind === undefined ? undefined : context.length - contextLength };
}

function placeOf(position: number | undefined, text: string): string {
  if (position === undefined) return '';
  const before = text.slice(0, position).split('\n');
  return `, line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}
