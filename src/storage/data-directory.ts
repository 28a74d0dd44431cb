// The layout of a data directory and its opening: creates it, refuses one that is not ours or not whole, counts the boot,
// removes what an interrupted creation or snapshot left behind, and checks that manifest, log and tree agree.

import path from 'node:path';
import { DamageError } from '../shared/damage-error.js';
import { StoreError } from '../shared/errors.js';
import { type ServerId, zxidZero } from '../shared/ids.js';
import { disagreement } from './boot-rules.js';
import { allocateLog, baseLog, type CommitLogOptions, FileCommitLog } from './commit-log.js';
import { damageMarkName, describeDamageMark } from './damage-mark.js';
import { DataDirectoryError, directoryDamage } from './data-directory-error.js';
import { errorCodeOf, isOutOfSpace, isUnreadable, removeDurably, temporarySuffix, toError } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import { lockFilePattern } from './lock-file-name.js';
import { LogDamageError } from './log-damage-error.js';
import { type Manifest, ManifestFile, manifestFileName, newManifest, readManifest } from './manifest.js';
import type { OpenedTreeStore, TreeStoreOpener } from './tree-store-opener.js';

/** Found in the root of a freshly made file system. */
const harmlessNames: readonly string[] = ['lost+found'];
export const livePattern = /^(?:tree|log)-([0-9]{6,15})$/;
/** Put aside by a rebuild; nothing in it counts any more. */
export const asidePattern = /^damaged-[0-9]{1,9}$/;
/**
 * Boots in a row that ended neither orderly nor after the whole tree was read. Then the next one reads it in a process
 * of its own first: damaged pages may be what ended them.
 */
const unsettledBootsMax = 5;
/** What the manifest of a directory counts that was filled from a snapshot and never started. */
export const seededBoot = 1;

export interface DataDirectoryOptions extends CommitLogOptions {
  readonly directory: string;
  readonly serverId: ServerId;
  readonly treeStores: TreeStoreOpener;
  /** A line for the operator: something was repaired, or could not be cleaned up. */
  readonly warn: (text: string) => void;
}

export interface OpenedDirectory {
  readonly manifest: ManifestFile;
  readonly log: FileCommitLog;
  readonly store: OpenedTreeStore;
  /** True when the directory held nothing before. */
  readonly created: boolean;
  /** For the next tree and log directories. */
  readonly nextNumber: number;
}

export function treeName(number: number): string {
  return `tree-${String(number).padStart(6, '0')}`;
}

export function logName(number: number): string {
  return `log-${String(number).padStart(6, '0')}`;
}

/**
 * Makes the directory if it is missing. Returns the topmost directory that was made for it, undefined when it was there.
 * Throws DataDirectoryError when it cannot be one.
 */
export async function ensureDirectory(files: FileSystem, directory: string): Promise<string | undefined> {
  try {
    const made = await files.makeDirectories(directory);
    if (!(await files.isDirectory(directory))) throw new DataDirectoryError(directory, 'it is not a directory');
    return made;
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    const reasons: Readonly<Record<string, string>> = {
      EEXIST: 'it is not a directory',
      ENOTDIR: 'part of its path is not a directory',
      EACCES: 'no permission to make it',
      EROFS: 'the file system is read-only',
    };
    throw new DataDirectoryError(directory, reasons[errorCodeOf(error) ?? ''] ?? toError(error).message, {
      cause: error,
    });
  }
}

/** Takes back what `ensureDirectory` made. A directory that is not empty any more stays, and so do those above it. */
export async function removeMadeDirectories(files: FileSystem, directory: string, topmost: string): Promise<void> {
  const last = path.resolve(topmost);
  for (let made = path.resolve(directory); ; made = path.dirname(made)) {
    try {
      await files.removeDirectory(made);
    } catch {
      return; // Somebody else is in it by now, or has removed it already: neither is a reason to complain.
    }
    if (made === last || made === path.dirname(made)) return;
  }
}

/** What syncing a directory says that no process of this user can have made names in, or that cannot be synced. */
const notOurs: readonly (string | undefined)[] = ['EACCES', 'EPERM', 'EROFS', 'EINVAL', 'ENOTSUP'];

/**
 * Makes the names of `directory` and of its parents durable: acknowledged entries are lost with a directory that a parent
 * does not durably name. All of them, because an earlier process may have made some and died before it synced any.
 */
export async function syncParents(files: FileSystem, directory: string): Promise<void> {
  for (let child = path.resolve(directory); child !== path.dirname(child); child = path.dirname(child)) {
    try {
      await files.syncDirectory(path.dirname(child));
    } catch (error) {
      if (notOurs.includes(errorCodeOf(error))) return;
      throw error;
    }
  }
}

/** Opens what the locked directory holds; makes it when it holds nothing. Throws DataDirectoryError or DamageError. */
export async function openDirectory(options: DataDirectoryOptions): Promise<OpenedDirectory> {
  try {
    return await openLocked(options);
  } catch (error) {
    if (error instanceof DataDirectoryError || error instanceof DamageError) throw error;
    const damaged =
      error instanceof LogDamageError ||
      (error instanceof StoreError && error.code === 'CORRUPT') ||
      isUnreadable(error);
    if (damaged) throw directoryDamage(options.directory, error.message, error);
    const full = isOutOfSpace(error) ? ': the disk is full, and a boot has to write a little' : '';
    throw new DataDirectoryError(options.directory, toError(error).message + full, { cause: error });
  }
}

async function openLocked(options: DataDirectoryOptions): Promise<OpenedDirectory> {
  const { directory } = options;
  const { files } = options.runtime;
  await refuseMarked(files, directory);
  const found = await readManifest(files, directory);
  if (found === null) await refuseForeignFiles(files, directory);
  else checkOwner(options, found);
  const created = found === null || found.boot === 0;
  const manifest = created ? await create(options, found) : new ManifestFile(files, directory, found);
  await manifest.update((current) => ({ ...current, serverId: options.serverId, boot: current.boot + 1 }));
  const nextNumber = await removeLeftovers(options, manifest.current);
  if (!created) await probeAfterCrash(options, found, manifest);
  const store = await openTree(options, manifest.current);
  try {
    const log = await openLog(options, manifest.current, store);
    return { manifest, log, store, created, nextNumber };
  } catch (error) {
    await new Promise<void>((resolve) => store.close(() => resolve()));
    throw error;
  }
}

async function refuseMarked(files: FileSystem, directory: string): Promise<void> {
  let text: string;
  try {
    text = await files.readText(path.join(directory, damageMarkName));
  } catch (error) {
    const code = errorCodeOf(error);
    if (code === 'ENOENT') return;
    // Another user may read it.
    if (code === 'EACCES' || code === 'EPERM') throw error;
    throw directoryDamage(
      directory,
      `it is marked as damaged, and the mark cannot be read: ${toError(error).message}`,
      error,
    );
  }
  throw directoryDamage(directory, describeDamageMark(text));
}

/**
 * LMDB does not survive damage to its own structure: the process dies of a signal and can say nothing. When the last boot
 * may have ended so, a child process reads the whole tree first, and its end tells. A kill or a power failure at the
 * same moment costs that time and nothing else.
 */
async function probeAfterCrash(options: DataDirectoryOptions, found: Manifest, manifest: ManifestFile): Promise<void> {
  const { boot, opened, settled } = found;
  if (opened === boot && boot - settled < unsettledBootsMax) return;
  const directory = path.join(options.directory, found.tree);
  await requireDirectory(options, found.tree);
  options.warn(
    opened < boot
      ? 'the last boot ended before tree and log were open: checking the tree first'
      : `the last ${boot - settled} boots ended without an orderly stop: checking the tree first`,
  );
  await new Promise<void>((resolve, reject) => {
    options.treeStores.probe(directory, (error) => (error === null ? resolve() : reject(error)));
  });
  await manifest.update((current) => ({ ...current, settled: current.boot }));
}

async function refuseForeignFiles(files: FileSystem, directory: string): Promise<void> {
  for (const name of await files.list(directory)) {
    if (lockFilePattern.test(name) || harmlessNames.includes(name) || name === manifestFileName + temporarySuffix)
      continue;
    if (asidePattern.test(name) || name === damageMarkName + temporarySuffix) continue;
    if (livePattern.test(name)) throw directoryDamage(directory, `it has a "${name}" and lost its manifest`);
    throw new DataDirectoryError(
      directory,
      `it is not empty ("${name}") and has no manifest: it is not a data directory`,
    );
  }
}

function checkOwner(options: DataDirectoryOptions, manifest: Manifest): void {
  if (manifest.serverId === options.serverId || isUnclaimed(manifest)) return;
  throw new DataDirectoryError(
    options.directory,
    `it belongs to server ${manifest.serverId}, expected ${options.serverId}`,
  );
}

/**
 * Filled from a snapshot and never started: it has promised nothing to anybody, so it is whose who starts it first. Whoever
 * restored it may not have known under which address that will be.
 */
function isUnclaimed({ boot, record }: Manifest): boolean {
  return boot === seededBoot && record.seed !== zxidZero && record.ensembleId === null;
}

/** The manifest comes first, with boot 0: until the boot is counted nothing else in the directory counts. */
async function create(options: DataDirectoryOptions, found: Manifest | null): Promise<ManifestFile> {
  const { directory, serverId, runtime } = options;
  const { files } = runtime;
  const incarnation = found?.incarnation ?? runtime.randomBytes(16).toString('hex');
  const fresh = newManifest({ serverId, incarnation, tree: treeName(1), log: logName(1) });
  await syncParents(files, directory);
  const manifest = new ManifestFile(files, directory, fresh);
  await manifest.update((current) => current);
  for (const name of await files.list(directory)) {
    if (livePattern.test(name)) await removeDurably(files, path.join(directory, name));
  }
  await files.makeDirectory(path.join(directory, fresh.tree));
  await baseLog(runtime, await allocateLog(path.join(directory, fresh.log), options), zxidZero);
  await files.syncDirectory(directory);
  return manifest;
}

/** Removes trees and logs that are not live. Returns a number that no directory here has. */
async function removeLeftovers(options: DataDirectoryOptions, manifest: Manifest): Promise<number> {
  const { files } = options.runtime;
  let greatest = 0;
  for (const name of await files.list(options.directory)) {
    const number = livePattern.exec(name)?.[1];
    if (number === undefined) continue;
    greatest = Math.max(greatest, Number(number));
    if (name === manifest.tree || name === manifest.log) continue;
    const target = path.join(options.directory, name);
    if (name.startsWith('tree-')) await removeTree(options, target);
    else await removeDurably(files, target);
  }
  return greatest + 1;
}

/** Removes a tree that is not open, and the directory that was made for it. */
export async function removeTree(
  options: Pick<DataDirectoryOptions, 'treeStores' | 'runtime'>,
  directory: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    options.treeStores.remove(directory, (error) => (error === null ? resolve() : reject(error)));
  });
  await removeDurably(options.runtime.files, directory);
}

async function openTree(options: DataDirectoryOptions, manifest: Manifest): Promise<OpenedTreeStore> {
  const directory = path.join(options.directory, manifest.tree);
  await requireDirectory(options, manifest.tree);
  // A member of an ensemble has had a tree; one that never was has promised nothing that could be lost.
  const store = options.treeStores.open(directory, { existing: manifest.record.ensembleId !== null });
  // The store syncs its files, not their names.
  await options.runtime.files.syncDirectory(directory);
  return store;
}

async function openLog(
  options: DataDirectoryOptions,
  manifest: Manifest,
  store: OpenedTreeStore,
): Promise<FileCommitLog> {
  await requireDirectory(options, manifest.log);
  const log = await FileCommitLog.open(path.join(options.directory, manifest.log), options);
  const reason = disagreement(manifest, log, store.meta);
  if (reason === null) {
    const { cut } = log;
    if (cut !== null)
      options.warn(`cut a torn tail from the log: "${cut.file}" from offset ${cut.offset} on (${cut.reason})`);
    return log;
  }
  await new Promise<void>((resolve) => log.close(resolve));
  throw directoryDamage(options.directory, reason);
}

async function requireDirectory({ directory, runtime }: DataDirectoryOptions, name: string): Promise<void> {
  const exists = await runtime.files.isDirectory(path.join(directory, name)).catch(() => false);
  if (!exists) throw directoryDamage(directory, `its manifest names "${name}", which is missing`);
}
