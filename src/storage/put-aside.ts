// Takes the data of a damaged node out of its directory, so that the node starts blank. At whatever step it is interrupted,
// what is left is refused at a boot as damaged, and doing it again finishes it. The caller holds the directory's lock.

import path from 'node:path';
import { damageMarkName, describeDamageMark } from './damage-mark.js';
import { asidePattern, livePattern } from './data-directory.js';
import { removeDurably, temporarySuffix, toError } from './durable-files.js';
import type { FileSystem } from './file-system.js';
import { type Manifest, manifestFileName, readManifest } from './manifest.js';

export interface DamagedDirectory {
  /** Null when it is missing or cannot be read. */
  readonly manifest: Manifest | null;
  /** What the directory itself says about its damage; null when only its contents can. */
  readonly reason: string | null;
  /** Names of all that would go, in the order in which it goes. */
  readonly names: readonly string[];
}

/** Looks at a directory and changes nothing. */
export async function surveyDirectory(files: FileSystem, directory: string): Promise<DamagedDirectory> {
  const all = await files.list(directory);
  const rank = (name: string): number => {
    // Without a manifest nothing here counts any more; the mark refuses to the end.
    if (name === manifestFileName) return 0;
    return name === damageMarkName ? 2 : 1;
  };
  const temporary = [manifestFileName, damageMarkName].map((name) => name + temporarySuffix);
  const names = all
    .filter((name) => rank(name) !== 1 || livePattern.test(name) || temporary.includes(name))
    .sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  const mark = all.includes(damageMarkName)
    ? await files
        .readText(path.join(directory, damageMarkName))
        .then(describeDamageMark, (error: unknown) => toError(error).message)
    : null;
  try {
    return { manifest: await readManifest(files, directory), reason: mark, names };
  } catch (error) {
    return { manifest: null, reason: mark ?? toError(error).message, names };
  }
}

/** Moves these into a directory of their own, durably. Returns its name. */
export async function putAside(files: FileSystem, directory: string, names: readonly string[]): Promise<string> {
  const aside = await nextAside(files, directory);
  const target = path.join(directory, aside);
  await files.makeDirectory(target);
  await files.syncDirectory(directory);
  for (const name of names) {
    await files.rename(path.join(directory, name), path.join(target, name));
    // One after the other also on disk: the order is what makes an interruption harmless.
    await files.syncDirectory(target);
    await files.syncDirectory(directory);
  }
  return aside;
}

export async function discard(files: FileSystem, directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) await removeDurably(files, path.join(directory, name));
}

async function nextAside(files: FileSystem, directory: string): Promise<string> {
  const taken = (await files.list(directory)).filter((name) => asidePattern.test(name));
  const numbers = taken.map((name) => Number(name.slice(name.indexOf('-') + 1)));
  return `damaged-${Math.max(0, ...numbers) + 1}`;
}
