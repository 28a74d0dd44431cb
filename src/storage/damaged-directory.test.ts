// What a boot makes of damage: the mark of an earlier one, a boot that may have died inside LMDB, and a rebuild that was
// interrupted at any step.

import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/log-harness.js';
import { DamageError } from '../shared/damage-error.js';
import { StoreError } from '../shared/errors.js';
import { type EnsembleId, toEpoch, toServerId, zxidZero } from '../shared/ids.js';
import { MemoryTreeDisk } from './memory-tree-store.js';
import { nodeFileSystem as files } from './node-file-system.js';
import { nodeRuntime } from './node-runtime.js';
import { type FileNodeStorage, type NodeStorageOptions, openNodeStorage } from './node-storage.js';
import { discard, putAside, surveyDirectory } from './put-aside.js';
import { writeDamageMark } from './write-damage-mark.js';

const scheduler = { defer: nodeRuntime.defer, after: nodeRuntime.after };
const roots: string[] = [];

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true, force: true });
});

/** Trees in memory whose probes are counted and find what they are told to find. */
class ProbedTrees extends MemoryTreeDisk {
  probes = 0;
  finding: Error | null = null;

  override probe(_directory: string, done: (error: Error | null) => void): void {
    this.probes += 1;
    const { finding } = this;
    setImmediate(() => done(finding));
  }
}

interface Place {
  readonly directory: string;
  readonly trees: ProbedTrees;
}

async function newPlace(): Promise<Place> {
  const root = await temporaryDirectory();
  roots.push(root);
  return { directory: path.join(root, 'data'), trees: new ProbedTrees({ scheduler }) };
}

function optionsOf({ directory, trees }: Place): NodeStorageOptions {
  return {
    directory,
    serverId: toServerId(7),
    runtime: nodeRuntime,
    treeStores: trees,
    segmentBytes: 4096,
    fullDiskRetryMs: 50,
    warn: () => undefined,
  };
}

function close(storage: FileNodeStorage): Promise<void> {
  return new Promise((resolve) => storage.close(resolve));
}

function persist(storage: FileNodeStorage): Promise<void> {
  const ensembleId = '0123456789abcdef0123456789abcdef' as EnsembleId;
  const record = { ensembleId, acceptedEpoch: toEpoch(1), currentEpoch: toEpoch(1), probation: false, seed: zxidZero };
  return new Promise((resolve, reject) =>
    storage.persist(record, (error) => (error === null ? resolve() : reject(error))),
  );
}

/** Opens, does this, and leaves what a kill would leave. */
async function killedBoot(
  place: Place,
  work: (storage: FileNodeStorage) => Promise<void> = async () => undefined,
): Promise<void> {
  const storage = await openNodeStorage(optionsOf(place));
  await work(storage);
  const kept = `${place.directory}-kept`;
  await cp(place.directory, kept, { recursive: true, filter: (source) => !path.basename(source).startsWith('lock-') });
  await close(storage);
  await rm(place.directory, { recursive: true });
  await cp(kept, place.directory, { recursive: true });
  await rm(kept, { recursive: true });
}

async function orderlyBoot(place: Place): Promise<void> {
  await close(await openNodeStorage(optionsOf(place)));
}

describe('a boot', () => {
  it('refuses a marked directory and says what the mark says, also where the mark is damaged', async () => {
    const place = await newPlace();
    await orderlyBoot(place);
    expect(writeDamageMark(place.directory, 'row 7 is rotten', new Date(0))).toBeNull();
    for (const text of ['1970-01-01T00:00:00.000Z: row 7 is rotten', 'damage was found in it']) {
      const refusal = openNodeStorage(optionsOf(place));
      await expect(refusal).rejects.toBeInstanceOf(DamageError);
      await expect(refusal).rejects.toThrow(text);
      await writeFile(path.join(place.directory, 'damage'), 'zabtree dam');
    }
  });

  it('takes a sector that cannot be read for damage', async () => {
    const place = await newPlace();
    await orderlyBoot(place);
    const unreadable = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', syscall: 'read' });
    const readText = (file: string): Promise<string> =>
      file.endsWith('manifest') ? Promise.reject(unreadable) : files.readText(file);
    const runtime = { ...nodeRuntime, files: { ...files, readText } };
    const refusal = openNodeStorage({ ...optionsOf(place), runtime });
    await expect(refusal).rejects.toBeInstanceOf(DamageError);
    await expect(refusal).rejects.toThrow('i/o error');
    await orderlyBoot(place);
  });

  it('refuses a directory whose mark cannot be read', async () => {
    const place = await newPlace();
    await orderlyBoot(place);
    await mkdir(path.join(place.directory, 'damage'));
    const refusal = openNodeStorage(optionsOf(place));
    await expect(refusal).rejects.toBeInstanceOf(DamageError);
    await expect(refusal).rejects.toThrow('the mark cannot be read');
  });

  // Linux has a device that is always full.
  it.runIf(existsSync('/dev/full'))('finds a mark also where the disk was too full for what it says', async () => {
    const place = await newPlace();
    await orderlyBoot(place);
    await symlink('/dev/full', path.join(place.directory, 'damage.tmp'));
    expect(writeDamageMark(place.directory, 'row 7 is rotten', new Date(0))).toBeNull();
    expect(await readdir(place.directory)).toContain('damage');
    await rm(path.join(place.directory, 'damage'));
  });

  it('has the tree checked after one that died before it had noted its opening, and only then', async () => {
    const place = await newPlace();
    await killedBoot(place);
    await killedBoot(place, persist);
    expect(place.trees.probes).toBe(1);
    await killedBoot(place, async (storage) => {
      storage.noteOpened();
      await persist(storage);
    });
    await killedBoot(place);
    expect(place.trees.probes).toBe(1);
    await orderlyBoot(place);
    expect(place.trees.probes).toBe(2);
    await orderlyBoot(place);
    expect(place.trees.probes).toBe(2);
  });

  it('has the tree checked after five that ended without an orderly stop', async () => {
    const place = await newPlace();
    await orderlyBoot(place);
    for (let boot = 0; boot < 5; boot++) await killedBoot(place, persist);
    expect(place.trees.probes).toBe(0);
    for (let boot = 0; boot < 4; boot++) await killedBoot(place, persist);
    expect(place.trees.probes).toBe(1);
    await killedBoot(place, (storage) => {
      storage.noteSettled();
      return persist(storage);
    });
    for (let boot = 0; boot < 5; boot++) await killedBoot(place, persist);
    expect(place.trees.probes).toBe(1);
  });

  it('refuses a tree that the check finds damaged, again and again, but not where the check could not be made', async () => {
    const place = await newPlace();
    await killedBoot(place);
    place.trees.finding = new StoreError('CORRUPT', 'reading it ends a process with SIGBUS');
    for (let boot = 0; boot < 2; boot++) {
      const refusal = openNodeStorage(optionsOf(place));
      await expect(refusal).rejects.toBeInstanceOf(DamageError);
      await expect(refusal).rejects.toThrow('SIGBUS');
    }
    place.trees.finding = new Error('the check ended with SIGKILL');
    await expect(openNodeStorage(optionsOf(place))).rejects.not.toBeInstanceOf(DamageError);
    place.trees.finding = null;
    await orderlyBoot(place);
  });
});

describe('putAside() and discard()', () => {
  it('leave a directory that a boot takes for a new one', async () => {
    const place = await newPlace();
    for (const expected of ['damaged-1', 'damaged-2']) {
      await killedBoot(place, persist);
      writeDamageMark(place.directory, 'rotten', new Date());
      const { names, reason, manifest } = await surveyDirectory(files, place.directory);
      expect([names[0], names.at(-1), manifest?.serverId]).toEqual(['manifest', 'damage', 7]);
      expect(reason).toContain('rotten');
      expect(await putAside(files, place.directory, names)).toBe(expected);
      const storage = await openNodeStorage(optionsOf(place));
      expect([storage.created, storage.record.ensembleId]).toEqual([true, null]);
      await close(storage);
    }
    await discard(files, place.directory, (await surveyDirectory(files, place.directory)).names);
    expect(await readdir(place.directory)).toEqual(['damaged-1', 'damaged-2']);
    await orderlyBoot(place);
  });

  it('interrupted at any step, leave a directory that is refused as damaged or blank, and go on from there', async () => {
    const place = await newPlace();
    await killedBoot(place, persist);
    writeDamageMark(place.directory, 'rotten', new Date());
    const whole = await surveyDirectory(files, place.directory);
    expect(whole.names).toHaveLength(4);
    for (let done = 0; done < whole.names.length; done++) {
      const copy = { directory: `${place.directory}-${done}`, trees: new ProbedTrees({ scheduler }) };
      await cp(place.directory, copy.directory, { recursive: true });
      await mkdir(path.join(copy.directory, 'damaged-1'));
      await putAside(files, copy.directory, whole.names.slice(0, done));
      await expect(openNodeStorage(optionsOf(copy))).rejects.toBeInstanceOf(DamageError);
      await putAside(files, copy.directory, (await surveyDirectory(files, copy.directory)).names);
      await orderlyBoot(copy);
    }
  });
});
