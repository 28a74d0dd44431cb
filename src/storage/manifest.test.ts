import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, zxid } from '../../test/support/log-harness.js';
import { type EnsembleId, epochMax, toEpoch, toServerId, type Zxid } from '../shared/ids.js';
import { encodeCheckedFile } from './checked-file.js';
import { decodeManifest, encodeManifest, type Manifest, ManifestFile, newManifest, readManifest } from './manifest.js';
import { nodeFileSystem } from './node-file-system.js';

const directories: string[] = [];

afterEach(async () => {
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

async function newDirectory(): Promise<string> {
  const directory = await temporaryDirectory();
  directories.push(directory);
  return directory;
}

const sample: Manifest = {
  serverId: toServerId(2 ** 53 - 1),
  incarnation: '00112233445566778899aabbccddeeff',
  boot: 7,
  opened: 6,
  settled: 5,
  record: {
    ensembleId: 'ffeeddccbbaa99887766554433221100' as EnsembleId,
    acceptedEpoch: toEpoch(epochMax),
    currentEpoch: toEpoch(3),
    probation: true,
    seed: zxid(0, 2 ** 31),
  },
  tree: 'tree-000012',
  log: 'log-000012',
  logBase: zxid(2, 9),
};

describe('the manifest', () => {
  it('is read as it was written', () => {
    expect(decodeManifest(encodeManifest(sample))).toEqual(sample);
    const fresh = newManifest({
      serverId: toServerId(1),
      incarnation: sample.incarnation,
      tree: 'tree-000001',
      log: 'log-000001',
    });
    expect(decodeManifest(encodeManifest(fresh))).toEqual(fresh);
  });

  it('of the first version, without opened and settled, reads as if all were well', () => {
    const { record, opened: _opened, settled: _settled, ...rest } = sample;
    const old = encodeCheckedFile({ kind: 'manifest', version: 1 }, { ...rest, ...record });
    expect(decodeManifest(old)).toEqual({ ...sample, opened: sample.boot, settled: sample.boot });
  });

  it('without a seed belongs to data that comes from no snapshot, unless its log begins where one was restored', () => {
    const { record, ...rest } = sample;
    const { seed: _seed, ...unseeded } = record;
    const read = (logBase: Zxid): Manifest =>
      decodeManifest(encodeCheckedFile({ kind: 'manifest', version: 1 }, { ...rest, ...unseeded, logBase }));
    expect(read(zxid(2, 9)).record.seed).toBe(0);
    expect(read(zxid(0, 0)).record.seed).toBe(0);
    expect(read(zxid(0, 77)).record.seed).toBe(77);
    expect(encodeManifest({ ...sample, record: { ...record, seed: zxid(0, 0) } })).not.toContain('seed');
  });

  it('is refused with any byte changed, and with any part missing', () => {
    const text = Buffer.from(encodeManifest(sample), 'latin1');
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 127 }), (at, flip) => {
        const changed = Buffer.from(text);
        changed.writeUInt8(changed.readUInt8(at) ^ flip, at);
        expect(() => decodeManifest(changed.toString('latin1'))).toThrow();
      }),
      { numRuns: 2000 },
    );
    for (let length = 0; length < text.length; length++) {
      expect(() => decodeManifest(text.subarray(0, length).toString('latin1'))).toThrow();
    }
  });

  it('of a newer format is refused as such', async () => {
    const directory = await newDirectory();
    await writeFile(path.join(directory, 'manifest'), encodeManifest(sample).replace('manifest 1', 'manifest 2'));
    await expect(readManifest(nodeFileSystem, directory)).rejects.toThrow(
      `Cannot open data directory "${directory}": the manifest cannot be used: format version is 2, expected 1 (written by a newer zabtree)`,
    );
  });

  it('of another kind or damaged is refused as such', async () => {
    const directory = await newDirectory();
    await writeFile(path.join(directory, 'manifest'), 'hello');
    await expect(readManifest(nodeFileSystem, directory)).rejects.toThrow('it is damaged (not a zabtree manifest)');
    await writeFile(path.join(directory, 'manifest'), encodeManifest(sample).replace('"boot": 7', '"boot": 8'));
    await expect(readManifest(nodeFileSystem, directory)).rejects.toThrow('it is damaged (checksum does not match)');
  });

  it('takes changes one after the other, each seeing the one before', async () => {
    const directory = await newDirectory();
    const file = new ManifestFile(nodeFileSystem, directory, sample);
    const changes = Array.from({ length: 20 }, () =>
      file.update((current) => ({ ...current, boot: current.boot + 1 })),
    );
    await Promise.all(changes);
    expect(file.current.boot).toBe(27);
    expect((await readManifest(nodeFileSystem, directory))?.boot).toBe(27);
    expect(await readdir(directory)).toEqual(['manifest']);
  });

  it('keeps what it was when a change fails, and takes the next one', async () => {
    const directory = await newDirectory();
    const file = new ManifestFile(nodeFileSystem, directory, sample);
    await file.update((current) => current);
    const before = await readFile(path.join(directory, 'manifest'), 'utf8');
    const failing = file.update(() => {
      throw new Error('no');
    });
    const next = file.update((current) => ({ ...current, boot: 100 }));
    await expect(failing).rejects.toThrow('no');
    expect(before).toBe(encodeManifest(sample));
    await next;
    expect((await readManifest(nodeFileSystem, directory))?.boot).toBe(100);
  });
});
