// `zabtree snapshot save`: what one node has applied as a snapshot file. The file is there whole and on the disk, or not at all.

import { createHash } from 'node:crypto';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { reasonOf } from '../../config/config-file.js';
import { StoreError } from '../../shared/errors.js';
import { type ConnectionFlags, type OutputFlags, withClient } from '../connection-options.js';
import { note, writeJson } from '../output.js';

interface SavedSnapshot {
  readonly bytes: number;
  /** Of all but itself: the end of the file. */
  readonly sha256: string;
}

const checksumBytes = 32;

export async function runSnapshotSave(file: string, flags: ConnectionFlags & OutputFlags): Promise<void> {
  const { bytes, sha256 } = await withClient(flags, (client) => saveSnapshot(client.snapshot(), file));
  if (flags.output === 'json') await writeJson({ file, bytes, sha256 });
  else note(`snapshot saved at ${file}`);
}

/** One that is there is replaced. Throws StoreError for what the server says, else an error with the name of the file. */
export async function saveSnapshot(parts: AsyncIterable<Uint8Array>, file: string): Promise<SavedSnapshot> {
  const partial = `${file}.part`;
  try {
    await requireReplaceable(file);
    // Whoever has a snapshot has all keys, and the hashes of all passwords.
    const handle = await open(partial, 'w', 0o600);
    try {
      const saved = await fill(handle, parts);
      await handle.sync();
      await handle.close();
      await rename(partial, file);
      await syncDirectory(dirname(file));
      return saved;
    } catch (error) {
      await handle.close();
      await rm(partial, { force: true });
      throw error;
    }
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    const isAway = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    const reason = isAway ? `there is no directory "${dirname(file)}"` : reasonOf(cause);
    throw new Error(`Cannot save snapshot "${file}": ${reason}`, { cause });
  }
}

/** Only a file gives way to the snapshot: root could replace a device, too. */
async function requireReplaceable(file: string): Promise<void> {
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null && !found.isFile()) throw new Error('it is there and is no file');
}

async function fill(handle: FileHandle, parts: AsyncIterable<Uint8Array>): Promise<SavedSnapshot> {
  const hash = createHash('sha256');
  let bytes = 0;
  // The end of what came: it may be the checksum, or part of it.
  let end = Buffer.alloc(0);
  for await (const part of parts) {
    await handle.appendFile(part);
    bytes += part.length;
    const known = Buffer.concat([end, part]);
    const cut = Math.max(0, known.length - checksumBytes);
    hash.update(known.subarray(0, cut));
    end = known.subarray(cut);
  }
  const sha256 = hash.digest();
  if (!sha256.equals(end)) throw new Error('what came does not have the checksum that it ends with');
  return { bytes, sha256: sha256.toString('hex') };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
