// The manifest: who a data directory belongs to, what its node has promised, and which tree and log in it are live. One
// small checked file, replaced atomically and one replacement at a time; it is never changed in place.

import path from 'node:path';
import {
  counterMax,
  type EnsembleId,
  type Epoch,
  epochMax,
  epochOf,
  epochZero,
  type ServerId,
  type Zxid,
  zxidZero,
} from '../shared/ids.js';
import type { EpochRecord } from '../zab/effects.js';
import { CheckedFileError, decodeCheckedFile, encodeCheckedFile } from './checked-file.js';
import { DataDirectoryError, directoryDamage } from './data-directory-error.js';
import { errorCodeOf, isUnreadable, replaceFile, toError } from './durable-files.js';
import type { FileSystem } from './file-system.js';

export const manifestFileName = 'manifest';
const format = { kind: 'manifest', version: 1 };

export interface Manifest {
  readonly serverId: ServerId;
  /** Random per data directory, 32 hexadecimal digits. */
  readonly incarnation: string;
  /** Times the directory was opened. 0: it was never made completely, and nothing in it counts. */
  readonly boot: number;
  /** Last boot that came through opening the tree. Less than `boot` when the next one begins: that one may have crashed. */
  readonly opened: number;
  /** Last boot that ended orderly, or during which the whole tree was read. */
  readonly settled: number;
  readonly record: EpochRecord;
  /** Names of the live directories beside the manifest. */
  readonly tree: string;
  readonly log: string;
  /** Base with which the live log was created; it may have been trimmed since. */
  readonly logBase: Zxid;
}

export function newManifest(options: {
  readonly serverId: ServerId;
  readonly incarnation: string;
  readonly tree: string;
  readonly log: string;
}): Manifest {
  const epochs = { acceptedEpoch: epochZero, currentEpoch: epochZero };
  const record = { ensembleId: null, ...epochs, probation: false, seed: zxidZero };
  return { ...options, boot: 0, opened: 0, settled: 0, record, logBase: zxidZero };
}

export function encodeManifest(manifest: Manifest): string {
  const { record, ...rest } = manifest;
  const { seed, ...promised } = record;
  return encodeCheckedFile(format, { ...rest, ...promised, ...(seed === zxidZero ? {} : { seed }) });
}

/** Throws a CheckedFileError whose message completes "Cannot open data directory …: the manifest cannot be used: ". */
export function decodeManifest(text: string): Manifest {
  const content = new ManifestContent(decodeCheckedFile(format, text));
  const boot = content.integer('boot', Number.MAX_SAFE_INTEGER);
  const logBase = content.integer('logBase', Number.MAX_SAFE_INTEGER) as Zxid;
  return {
    serverId: content.integer('serverId', Number.MAX_SAFE_INTEGER) as ServerId,
    incarnation: content.text('incarnation', /^[0-9a-f]{32}$/),
    boot,
    // The first version had no such fields.
    opened: content.has('opened') ? content.integer('opened', Number.MAX_SAFE_INTEGER) : boot,
    settled: content.has('settled') ? content.integer('settled', Number.MAX_SAFE_INTEGER) : boot,
    record: {
      ensembleId: content.isNull('ensembleId') ? null : (content.text('ensembleId', /^[0-9a-f]{32}$/) as EnsembleId),
      acceptedEpoch: content.integer('acceptedEpoch', epochMax) as Epoch,
      currentEpoch: content.integer('currentEpoch', epochMax) as Epoch,
      probation: content.boolean('probation'),
      seed: readSeed(content, logBase),
    },
    tree: content.text('tree', /^tree-[0-9]{6,15}$/),
    log: content.text('log', /^log-[0-9]{6,15}$/),
    logBase,
  };
}

/** Only written where there is one. Directories were restored before it was written at all: their log begins behind it. */
function readSeed(content: ManifestContent, logBase: Zxid): Zxid {
  if (content.has('seed')) return content.integer('seed', counterMax) as Zxid;
  return epochOf(logBase) === epochZero ? logBase : zxidZero;
}

/** The manifest in this directory, null when there is none. Throws DamageError when it is damaged. */
export async function readManifest(files: FileSystem, directory: string): Promise<Manifest | null> {
  let text: string;
  try {
    text = await files.readText(path.join(directory, manifestFileName));
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return null;
    const reason = `the manifest cannot be read: ${toError(error).message}`;
    if (isUnreadable(error)) throw directoryDamage(directory, reason, error);
    throw new DataDirectoryError(directory, reason, { cause: error });
  }
  try {
    return decodeManifest(text);
  } catch (error) {
    const reason = `the manifest cannot be used: ${toError(error).message}`;
    if (error instanceof CheckedFileError && !error.damaged)
      throw new DataDirectoryError(directory, reason, { cause: error });
    throw directoryDamage(directory, reason, error);
  }
}

/** Replaces the manifest of one directory, one change after the other. */
export class ManifestFile {
  private readonly files: FileSystem;
  private readonly directory: string;
  private durable: Manifest;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(files: FileSystem, directory: string, durable: Manifest) {
    this.files = files;
    this.directory = directory;
    this.durable = durable;
  }

  /** What is on disk. */
  get current(): Manifest {
    return this.durable;
  }

  /** Changes what the changes before this one have left. A change that fails leaves the manifest as it was. */
  update(change: (manifest: Manifest) => Manifest): Promise<void> {
    const result = this.queue.then(async () => {
      const next = change(this.durable);
      await replaceFile(this.files, path.join(this.directory, manifestFileName), encodeManifest(next));
      this.durable = next;
    });
    // The one who asked hears of a failure; those behind it go on.
    this.queue = result.catch(() => undefined);
    return result;
  }

  async idle(): Promise<void> {
    await this.queue;
  }
}

class ManifestContent {
  private readonly content: Readonly<Record<string, unknown>>;

  constructor(content: Readonly<Record<string, unknown>>) {
    this.content = content;
  }

  integer(field: string, max: number): number {
    const value = this.content[field];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > max) throw this.wrong(field);
    // JSON knows a zero below zero, which would not come back from being written.
    return value === 0 ? 0 : value;
  }

  text(field: string, pattern: RegExp): string {
    const value = this.content[field];
    if (typeof value !== 'string' || !pattern.test(value)) throw this.wrong(field);
    return value;
  }

  boolean(field: string): boolean {
    const value = this.content[field];
    if (typeof value !== 'boolean') throw this.wrong(field);
    return value;
  }

  has(field: string): boolean {
    return this.content[field] !== undefined;
  }

  isNull(field: string): boolean {
    return this.content[field] === null;
  }

  private wrong(field: string): CheckedFileError {
    return new CheckedFileError(`field "${field}" is missing or wrong`);
  }
}
