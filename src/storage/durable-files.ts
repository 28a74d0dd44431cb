// Small durable operations on files and directories that the rest of storage is made of. Nothing here knows what the
// files mean. None of it is on the path of an append.

import path from 'node:path';
import type { FileSystem, OpenFile } from './file-system.js';
import type { StorageRuntime } from './storage-runtime.js';

const zeros = Buffer.alloc(256 * 1024);
/** Read at a time when a file is looked through for what is not zero. */
const scanBytes = 2 ** 20;

export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

/** The `code` of a system error, e.g. ENOSPC. */
export function errorCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function isOutOfSpace(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** The disk does not give back what was written: a bad sector. */
export function isUnreadable(error: unknown): error is NodeJS.ErrnoException {
  return errorCodeOf(error) === 'EIO' && (error as NodeJS.ErrnoException).syscall === 'read';
}

/** Reports a promise to a callback from a turn of its own, so that an exception of the callback stops the process. */
export function settle<T>(
  runtime: Pick<StorageRuntime, 'defer'>,
  promise: Promise<T>,
  done: (error: Error | null, value: T | null) => void,
): void {
  promise.then(
    (value) => runtime.defer(() => done(null, value)),
    (error: unknown) => runtime.defer(() => done(toError(error), null)),
  );
}

/** Suffix of the file that `replaceFile` writes before it renames; one that is found at boot is worthless. */
export const temporarySuffix = '.tmp';

/** The replacement of a file failed half-way: which of the two contents a restart will find is unknown. */
export class UncertainReplacementError extends Error {
  override readonly name = 'UncertainReplacementError';
}

/**
 * Replaces a file's contents durably: readers, and a boot after a crash, see the old or the new contents whole. An error
 * other than UncertainReplacementError has left the old contents.
 */
export async function replaceFile(files: FileSystem, file: string, contents: string): Promise<void> {
  const temporary = file + temporarySuffix;
  const handle = await files.open(temporary, 'replace');
  try {
    await writeWhole(handle, Buffer.from(contents), 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await files.rename(temporary, file);
    await files.syncDirectory(path.dirname(file));
  } catch (error) {
    throw new UncertainReplacementError(`Cannot replace "${file}": ${toError(error).message}`, { cause: error });
  }
}

/** Removes a file, or a directory with all that is in it, durably. What is not there is no error. */
export async function removeDurably(files: FileSystem, target: string): Promise<void> {
  await files.remove(target);
  await files.syncDirectory(path.dirname(target));
}

/** Writes all of the bytes, however many calls that takes. */
async function writeWhole(handle: OpenFile, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const taken = await writeSome(handle, written === 0 ? bytes : bytes.subarray(written), position + written);
    if (taken === 0) throw new Error('Cannot write to a file: the device takes no more bytes');
    written += taken;
  }
}

function writeSome(handle: OpenFile, bytes: Buffer, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    handle.write(bytes, position, (error, taken) => (error === null ? resolve(taken) : reject(error)));
  });
}

/**
 * Writes zeros over from..to, durably. With `pace`, which may throw to give up, it does so in small durable steps, so that
 * another file's writes never queue behind all of it.
 */
export async function fillZeros(
  files: FileSystem,
  file: string,
  range: { readonly from: number; readonly to: number },
  pace?: () => void,
): Promise<void> {
  const handle = await files.open(file, 'update');
  try {
    for (let offset = range.from; offset < range.to; ) {
      const length = Math.min(zeros.length, range.to - offset);
      await writeWhole(handle, zeros.subarray(0, length), offset);
      offset += length;
      if (pace === undefined) continue;
      await handle.datasync();
      pace();
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes what a file holds in from..to over itself, durably. A sync that failed in an earlier process has left pages that
 * read as they were written, count as clean and are not on the disk: no further sync brings them there, only a write.
 */
export async function rewriteDurably(
  file: OpenFile,
  range: { readonly from: number; readonly to: number },
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(scanBytes, Math.max(0, range.to - range.from)));
  for (let offset = range.from; offset < range.to; ) {
    const bytes = await file.read(buffer.subarray(0, Math.min(buffer.length, range.to - offset)), 0, offset);
    if (bytes === 0) throw new Error(`Cannot make a file durable: it ends at ${offset}, expected ${range.to}`);
    await writeWhole(file, buffer.subarray(0, bytes), offset);
    offset += bytes;
  }
  await file.datasync();
}

/** A view of a file through a buffer that moves forward, for reading it record by record. */
export class FileWindow {
  private readonly file: OpenFile;
  private readonly stepBytes: number;
  private readonly views: 'last' | 'until next load';
  private memory: Buffer = Buffer.alloc(0);
  private buffer: Buffer = this.memory;
  private start = 0;

  /** `views`: how long they stay valid. To last they need fresh memory at each load, which costs more than reading. */
  constructor(file: OpenFile, stepBytes: number, views: 'last' | 'until next load' = 'last') {
    this.file = file;
    this.stepBytes = stepBytes;
    this.views = views;
  }

  covers(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.start + this.buffer.length;
  }

  /** Only what is covered. */
  view(offset: number, length: number): Buffer {
    return this.buffer.subarray(offset - this.start, offset - this.start + length);
  }

  /** Reads so that at least this is covered; false when the file ends before. */
  async load(offset: number, length: number): Promise<boolean> {
    const bytes = Math.max(length, this.stepBytes);
    if (this.views === 'last' || this.memory.length < bytes) this.memory = Buffer.allocUnsafe(bytes);
    const buffer = this.memory;
    let filled = 0;
    while (filled < buffer.length) {
      const bytesRead = await this.file.read(buffer, filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.buffer = buffer.subarray(0, filled);
    this.start = offset;
    return filled >= length;
  }
}

/** First byte in from..to that is not zero, undefined when all are. */
export async function firstNonZero(
  file: OpenFile,
  range: { readonly from: number; readonly to: number },
): Promise<number | undefined> {
  const stepBytes = Math.min(scanBytes, range.to - range.from);
  if (stepBytes <= 0) return undefined;
  // One buffer for all of it: fresh memory for each step would cost several times what reading does.
  const buffer = Buffer.allocUnsafe(stepBytes);
  const blank = Buffer.alloc(stepBytes);
  for (let offset = range.from; offset < range.to; ) {
    const bytesRead = await file.read(buffer.subarray(0, Math.min(stepBytes, range.to - offset)), 0, offset);
    if (bytesRead === 0) return undefined;
    const bytes = buffer.subarray(0, bytesRead);
    if (!bytes.equals(blank.subarray(0, bytesRead))) return offset + bytes.findIndex((byte) => byte !== 0);
    offset += bytesRead;
  }
  return undefined;
}

/** Overwrites the beginning of an existing file, durably. */
export async function writeDurably(files: FileSystem, file: string, bytes: Buffer): Promise<void> {
  const handle = await files.open(file, 'update');
  try {
    await writeWhole(handle, bytes, 0);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
