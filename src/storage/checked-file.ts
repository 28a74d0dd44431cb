// A small versioned, checksummed text file that people can read: one line that names kind and format version, one with
// the checksum, then JSON. The manifest and the truncation mark of a log are such files. Never touches the disk itself.

import { crc32 } from 'node:zlib';

/** Why a checked file cannot be used; `message` completes "Cannot … : ". */
export class CheckedFileError extends Error {
  override readonly name = 'CheckedFileError';
  /** A sound file of another format version is not damaged. */
  readonly damaged: boolean;

  constructor(reason: string, options: { readonly damaged?: boolean; readonly cause?: unknown } = {}) {
    super(reason, options);
    this.damaged = options.damaged ?? true;
  }
}

export interface CheckedFileFormat {
  readonly kind: string;
  readonly version: number;
}

export function encodeCheckedFile(format: CheckedFileFormat, content: Readonly<Record<string, unknown>>): string {
  const json = `${JSON.stringify(content, null, 2)}\n`;
  return `zabtree ${format.kind} ${format.version}\ncrc32 ${checksum(json)}\n${json}`;
}

/** The JSON object in the file. Throws CheckedFileError when it is damaged, of another kind or of another version. */
export function decodeCheckedFile(format: CheckedFileFormat, text: string): Readonly<Record<string, unknown>> {
  const lines = /^zabtree ([a-z-]+) ([0-9]{1,9})\ncrc32 ([0-9a-f]{8})\n/.exec(text);
  if (lines === null || lines[1] !== format.kind)
    throw new CheckedFileError(`it is damaged (not a zabtree ${format.kind})`);
  const version = Number(lines[2]);
  if (version !== format.version) {
    const age = version > format.version ? ' (written by a newer zabtree)' : '';
    throw new CheckedFileError(`format version is ${version}, expected ${format.version}${age}`, { damaged: false });
  }
  const json = text.slice(lines[0].length);
  if (checksum(json) !== lines[3]) throw new CheckedFileError('it is damaged (checksum does not match)');
  const content = parsed(json);
  if (!isObject(content)) throw new CheckedFileError('it is damaged (not an object)');
  return content;
}

function checksum(json: string): string {
  return crc32(json).toString(16).padStart(8, '0');
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new CheckedFileError('it is damaged (not JSON)', { cause });
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
