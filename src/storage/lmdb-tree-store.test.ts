// What only the LMDB store can show: crashes of a real process in the middle of flushes, damage on disk, reopening.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Revision, Zxid } from '../shared/ids.js';
import { SeededRandom } from '../shared/random.js';
import { dataFileName } from './lmdb-tables.js';
import { type LmdbTreeStore, LmdbTreeStoreOpener } from './lmdb-tree-store.js';
import type { ScrubPosition, ScrubSlice } from './tree-store-opener.js';

const keyCount = 400;

/** Writes every key in each flush, the flush's number as its value and as the meta's revision; prints it once durable. */
const writerProgram = `
const { LmdbTreeStoreOpener } = await import(process.argv[1]);
const store = new LmdbTreeStoreOpener().open(process.argv[2]);
const value = Buffer.alloc(600);
const step = () => {
  const revision = store.meta.revision + 1;
  value.writeUInt32LE(revision);
  const versions = Array.from({ length: ${keyCount} }, (_, i) => {
    const key = Buffer.from('key-' + String(i).padStart(5, '0'));
    const record = { key, value, createRevision: 2, modRevision: revision, version: revision - 1, lease: 0n };
    return { space: 1, key, modRevision: revision, record };
  });
  const meta = { appliedZxid: revision, revision, compactedRevision: 0, sessionsEvictedThrough: 0 };
  store.flush({ meta, versions, sessions: [], sessionsEvicted: [], byteLength: 0 }, (error) => {
    if (error) throw error;
    console.log(revision);
    step();
  });
};
step();
`;

describe('LmdbTreeStore', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'zabtree-lmdb-'));
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('open() after kill -9 in the middle of flushes finds one whole flush, at least the last that was done', async () => {
    const random = new SeededRandom(1);
    for (let round = 0; round < 4; round++) {
      const child = startWriter(directory);
      const acknowledged = await killAfter(child, 3 + random.below(12));
      const store = new LmdbTreeStoreOpener().open(directory);
      const { revision } = store.meta;
      expect(revision).toBeGreaterThanOrEqual(acknowledged);
      expect(store.meta.appliedZxid).toBe(revision);
      const seen = new Set<number>();
      let records = 0;
      const all = { from: new Uint8Array(0), to: undefined, at: undefined };
      store.scan(1, all, (record) => {
        records += 1;
        seen.add(Buffer.from(record.value).readUInt32LE());
        return true;
      });
      expect(records).toBe(keyCount);
      expect([...seen]).toEqual([revision]);
      await close(store);
    }
  }, 60_000);

  it('a damaged record is an error when it is read, never a wrong value', async () => {
    const store = new LmdbTreeStoreOpener().open(directory);
    await flushOne(store, 2, 'a value that can be found in the file');
    await close(store);
    const path = join(directory, dataFileName);
    const file = await readFile(path);
    for (let at = file.indexOf('a value that'); at !== -1; at = file.indexOf('a value that', at + 1)) file[at] = 0x62;
    await writeFile(path, file);
    const damaged = new LmdbTreeStoreOpener().open(directory);
    expect(() => damaged.get(1, Buffer.from('key'), undefined)).toThrow(/checksum/);
    const digest = await new Promise<Error | null>((resolve) => damaged.digest((error) => resolve(error)));
    expect(digest).toMatchObject({ code: 'CORRUPT' });
    await close(damaged);
  });

  it('a version that a head speaks of and that is not there is an error, never an absent key', async () => {
    const store = new LmdbTreeStoreOpener().open(directory);
    await flushOne(store, 2, 'first');
    await flushOne(store, 3, 'second');
    await close(store);
    const { openTables } = await import('./lmdb-tables.js');
    const { headKey, versionKey } = await import('./tree-rows.js');
    for (const lost of [2, 3]) {
      const tables = openTables(directory, { existing: true });
      await tables.versions.remove(versionKey(lost as Revision, headKey(1, Buffer.from('key'))));
      await tables.root.close();
      const damaged = new LmdbTreeStoreOpener().open(directory);
      const read = (at: number | undefined): unknown => damaged.get(1, Buffer.from('key'), at as Revision | undefined);
      expect(() => read(2)).toThrow(/version [23] is missing/);
      if (lost === 3) expect(() => read(undefined)).toThrow(/version 3 is missing/);
      await close(damaged);
    }
  });

  it('tells of a writer thread that is gone, once, and can still be closed', async () => {
    const failures: string[] = [];
    const faults = { damaged: () => undefined, failed: (error: Error) => void failures.push(error.message) };
    const store = new LmdbTreeStoreOpener(faults).open(directory);
    // The thread opens the file by its name at its first request.
    await rm(join(directory, dataFileName));
    await expect(flushOne(store, 2, 'value')).rejects.toThrow(/writer thread .* is gone/);
    await expect(flushOne(store, 3, 'value')).rejects.toThrow(/writer thread .* is gone/);
    expect(failures).toHaveLength(1);
    await close(store);
  });

  it('tells of damage before the read that meets it fails, and a scrub finds it', async () => {
    const found: string[] = [];
    const faults = { damaged: (error: Error) => void found.push(error.message), failed: () => undefined };
    const opener = new LmdbTreeStoreOpener(faults);
    const store = opener.open(directory);
    await flushOne(store, 2, 'a value that can be found in the file');
    // A head, a version, the meta row.
    expect(await scrubRound(store)).toBe(3);
    await close(store);
    const path = join(directory, dataFileName);
    const file = await readFile(path);
    for (let at = file.indexOf('a value that'); at !== -1; at = file.indexOf('a value that', at + 1)) file[at] = 0x62;
    await writeFile(path, file);
    const damaged = opener.open(directory);
    await expect(scrubRound(damaged)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(() => damaged.get(1, Buffer.from('key'), undefined)).toThrow(/checksum/);
    expect(found).toHaveLength(2);
    const probed = await new Promise<Error | null>((resolve) => opener.probe(directory, resolve));
    expect(probed).toMatchObject({ code: 'CORRUPT' });
    await close(damaged);
  });

  it('a scrub finds whole rows that lookups miss, led astray by an inner page', async () => {
    const store = new LmdbTreeStoreOpener().open(directory);
    const names = Array.from({ length: 1000 }, (_, index) => `key/${String(index).padStart(6, '0')}`);
    await flushKeys(store, names, 'value');
    expect(await scrubRound(store)).toBeGreaterThan(2 * names.length);
    await close(store);
    const path = join(directory, dataFileName);
    const file = await readFile(path);
    const separator = names.map((name) => separatorOf(file, name)).find((at) => at >= 0) ?? 0;
    const tens = separator + 'key/0000'.length;
    file[tens] = (file[tens] ?? 0) ^ 2;
    await writeFile(path, file);
    const damaged = new LmdbTreeStoreOpener().open(directory);
    const missed = names.filter((name) => damaged.get(1, Buffer.from(name), undefined) === undefined);
    expect(missed.length).toBeGreaterThan(0);
    await expect(scrubRound(damaged)).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringMatching(/a lookup misses it/),
    });
    await close(damaged);
  });

  it('probe() finds nothing wrong with a sound tree, an empty directory or a file that is not there', async () => {
    const opener = new LmdbTreeStoreOpener();
    const probe = (): Promise<Error | null> => new Promise((resolve) => opener.probe(directory, resolve));
    expect(await probe()).toBeNull();
    const store = opener.open(directory);
    await flushOne(store, 2, 'value');
    await close(store);
    const before = await readFile(join(directory, dataFileName));
    expect(await probe()).toBeNull();
    expect((await readFile(join(directory, dataFileName))).equals(before)).toBe(true);
  });

  it('a file that is no tree any more, or ends within its first pages, is refused as damaged', async () => {
    const opener = new LmdbTreeStoreOpener();
    const store = opener.open(directory);
    await flushOne(store, 2, 'value');
    await close(store);
    const path = join(directory, dataFileName);
    const whole = await readFile(path);
    const firstPageLost = Buffer.from(whole).fill(0, 0, 4096);
    for (const bytes of [Buffer.alloc(8192), whole.subarray(0, 10), whole.subarray(0, 4096), firstPageLost]) {
      await writeFile(path, bytes);
      expect(() => opener.open(directory)).toThrow('its first pages are not those of a tree');
    }
  });

  it('a flush that was reported failed and had reached the disk may be repeated', async () => {
    const { openTables } = await import('./lmdb-tables.js');
    const { LmdbTreeWriter } = await import('./lmdb-tree-writer.js');
    const { packVersion } = await import('./flush-buffer.js');
    const { GrowingBuffer } = await import('./growing-buffer.js');
    const tables = openTables(directory, { existing: false });
    let fails = 1;
    const root = Object.create(tables.root, {
      transactionSync: {
        value: (work: () => void) => {
          tables.root.transactionSync(work);
          if (fails-- > 0) throw new Error('EIO');
        },
      },
    });
    const writer = new LmdbTreeWriter({ ...tables, root });
    const flushAt = (at: number): void => {
      const key = Buffer.from('key');
      const modRevision = at as Revision;
      const record = { key, value: key, createRevision: modRevision, modRevision, version: 1, lease: 0n };
      const buffer = new GrowingBuffer(1024);
      packVersion(buffer, { space: 1, key, modRevision, record });
      const meta = {
        appliedZxid: at as Zxid,
        revision: modRevision,
        compactedRevision: 0 as Revision,
        sessionsEvictedThrough: 0 as Zxid,
      };
      writer.flush({ meta, versions: buffer.view(), sessions: Buffer.alloc(0), sessionsEvicted: [] });
    };
    expect(() => flushAt(2)).toThrow('EIO');
    flushAt(2);
    flushAt(3);
    expect([...tables.versions.getKeys({ start: Buffer.from([0]) })]).toHaveLength(2);
    await tables.root.close();
  });

  it('appendRow() refuses a row that does not belong behind the last one', async () => {
    const { appendRow, openTables } = await import('./lmdb-tables.js');
    const tables = openTables(directory, { existing: false });
    tables.root.transactionSync(() => appendRow(tables.heads, Buffer.from('b'), Buffer.from('1')));
    expect(() =>
      tables.root.transactionSync(() => appendRow(tables.heads, Buffer.from('a'), Buffer.from('1'))),
    ).toThrow(/does not belong/);
    expect([...tables.heads.getKeys()].map((key) => Buffer.from(key).toString())).toEqual(['b']);
    await tables.root.close();
  });

  it('finds every lease id of 64 bits again after it was opened anew', async () => {
    const ids = [1n, 2n ** 53n, 2n ** 63n - 1n, -1n, -5n, -(2n ** 63n)];
    const store = new LmdbTreeStoreOpener().open(directory);
    for (const [index, lease] of ids.entries())
      await flushKeys(store, [`key${lease}`], 'x', { revision: index + 2, lease });
    await close(store);
    const reopened = new LmdbTreeStoreOpener().open(directory);
    for (const [index, lease] of ids.entries()) {
      const key = Buffer.from(`key${lease}`);
      // As the newest version, from its head; and as a version of its revision.
      expect(reopened.get(1, key, undefined)?.lease, `newest of ${lease}`).toBe(lease);
      expect(reopened.get(1, key, (index + 2) as Revision)?.lease, `version of ${lease}`).toBe(lease);
    }
    await close(reopened);
  });

  it('open() refuses a tree of a newer format', async () => {
    const store = new LmdbTreeStoreOpener().open(directory);
    await close(store);
    const { openTables } = await import('./lmdb-tables.js');
    const { metaKey } = await import('./lmdb-meta.js');
    const { seal } = await import('./tree-rows.js');
    const tables = openTables(directory, { existing: true });
    tables.root.transactionSync(() => void tables.meta.put(metaKey, seal(metaKey, Buffer.from([0, 0, 0, 0, 9, 1]))));
    await tables.root.close();
    expect(() => new LmdbTreeStoreOpener().open(directory)).toThrow(/format version is 9, expected 1/);
  });
});

/** Puts "key" at a revision. */
function flushOne(store: LmdbTreeStore, revision: number, value: string): Promise<void> {
  return flushKeys(store, ['key'], value, { revision });
}

/** Puts these keys at one revision. */
function flushKeys(
  store: LmdbTreeStore,
  names: readonly string[],
  value: string,
  { revision = 2, lease = 0n }: { readonly revision?: number; readonly lease?: bigint } = {},
): Promise<void> {
  const modRevision = revision as Revision;
  const fields = { value: Buffer.from(value), createRevision: modRevision, modRevision, version: 1, lease };
  const versions = names.map((name) => {
    const key = Buffer.from(name);
    return { space: 1, key, modRevision, record: { key, ...fields } } as const;
  });
  const meta = { ...store.meta, revision: modRevision };
  return new Promise((resolve, reject) => {
    store.flush({ meta, versions, sessions: [], sessionsEvicted: [], byteLength: 0 }, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/** Verifies the whole tree; returns the count of its rows. */
async function scrubRound(store: LmdbTreeStore): Promise<number> {
  let rows = 0;
  for (let from: ScrubPosition | null = null; ; ) {
    const slice: ScrubSlice = await new Promise((resolve, reject) =>
      store.scrubSlice(from, (error, answer) => (answer === null ? reject(error) : resolve(answer))),
    );
    rows += slice.rows;
    if (slice.next === null) return rows;
    from = slice.next;
  }
}

/** Where the head's key of this name stands in an inner page of LMDB; -1: in none. */
function separatorOf(file: Buffer, name: string): number {
  const pageBytes = 4096;
  const pageFlagsAt = 18;
  const innerPage = 1;
  // The length of the key, and the space.
  const wanted = Buffer.from(`\0\0\x01${name}`, 'latin1');
  wanted.writeUInt16LE(name.length + 1);
  for (let at = file.indexOf(wanted); at !== -1; at = file.indexOf(wanted, at + 1)) {
    const page = at - (at % pageBytes);
    if (file.readUInt16LE(page + pageFlagsAt) === innerPage) return at + wanted.length - name.length;
  }
  return -1;
}

function startWriter(directory: string): ChildProcess {
  const program = ['--import', 'tsx', '--input-type=module', '-e', writerProgram];
  const module = new URL('./lmdb-tree-store.ts', import.meta.url).href;
  return spawn(process.execPath, [...program, module, directory], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Kills the child once it has printed this many lines; the last number that it printed. */
async function killAfter(child: ChildProcess, lines: number): Promise<number> {
  const { stdout } = child;
  if (stdout === null) throw new Error('The child has no output');
  let count = 0;
  let last = 0;
  for await (const line of createInterface({ input: stdout })) {
    last = Number(line);
    count += 1;
    if (count === lines) child.kill('SIGKILL');
  }
  if (count < lines) throw new Error(`The child ended after ${count} flushes`);
  return last;
}

function close(store: LmdbTreeStore): Promise<void> {
  return new Promise((resolve, reject) => store.close((error) => (error ? reject(error) : resolve())));
}
