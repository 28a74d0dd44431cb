// A full disk and a failing one, on a small file system of its own. Mounting needs root: without it these are skipped.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { rm, stat, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, LogHarness, temporaryDirectory, zxid } from '../../test/support/log-harness.js';
import { toEpoch, toServerId } from '../shared/ids.js';
import { segmentFileName } from './log-segment.js';
import { MemoryTreeDisk } from './memory-tree-store.js';
import { nodeRuntime } from './node-runtime.js';
import { openNodeStorage } from './node-storage.js';

const segmentBytes = 64 * 1024;
const diskBytes = 512 * 1024;
const mounted: string[] = [];

function run(command: string, ...options: readonly string[]): void {
  execFileSync(command, options, { stdio: 'ignore' });
}

function mount(directory: string): boolean {
  try {
    run('mount', '-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', directory);
    mounted.push(directory);
    return true;
  } catch {
    return false;
  }
}

function unmount(directory: string): void {
  run('umount', directory);
}

function canMount(): boolean {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'zabtree-mount-'));
  const able = process.platform === 'linux' && mount(directory);
  if (able) unmount(directory);
  mounted.length = 0;
  fs.rmdirSync(directory);
  return able;
}

/** Takes all the space that is left. */
async function fillDisk(root: string): Promise<string> {
  const ballast = path.join(root, 'ballast');
  const fd = fs.openSync(ballast, 'w');
  const block = Buffer.alloc(4096, 1);
  try {
    for (;;) fs.writeSync(fd, block);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    fs.closeSync(fd);
  }
  return ballast;
}

async function smallDisk(): Promise<string> {
  const root = await temporaryDirectory();
  expect(mount(root)).toBe(true);
  return root;
}

const harnesses: LogHarness[] = [];

afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.close();
  for (const directory of mounted.splice(0)) {
    unmount(directory);
    await rm(directory, { recursive: true, force: true });
  }
});

describe.skipIf(!canMount())('on a disk of its own (needs root to mount one)', () => {
  it('a full disk is pressure while the next segment is prepared; appends wait and go on when there is room', async () => {
    const root = await smallDisk();
    const harness = await LogHarness.create({ root, segmentBytes });
    harnesses.push(harness);
    const spare = path.join(harness.directory, segmentFileName(2));
    await expect
      .poll(
        () =>
          stat(spare).then(
            (found) => found.size,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(segmentBytes);
    const ballast = await fillDisk(root);
    // Two segments are there; beginning the second one asks for a third.
    for (let counter = 1; counter <= 40; counter++) await harness.append(batchOf(1, counter, { bytes: 2000 }));
    await harness.until(() => harness.pressureReports.at(-1) === true);
    for (let counter = 41; counter <= 100; counter++) harness.log.append(batchOf(1, counter, { bytes: 2000 }));
    await harness.durable(zxid(1, 60));
    expect(harness.log.durable).toBeLessThan(zxid(1, 70));
    expect((await harness.readAll(zxid(1, 50))).length).toBe(50);
    await rm(ballast);
    await harness.until(() => harness.pressureReports.at(-1) === false);
    await harness.durable(zxid(1, 100));
    expect(harness.failures).toEqual([]);
    await harness.reopen();
    expect(harness.log.last).toBe(zxid(1, 100));
  });

  it('can be closed and opened again while the disk is full', async () => {
    const root = await smallDisk();
    const harness = await LogHarness.create({ root, segmentBytes });
    harnesses.push(harness);
    await harness.append(batchOf(1, 1));
    await harness.close();
    const ballast = await fillDisk(root);
    await harness.open();
    for (let counter = 2; counter <= 100; counter++) harness.log.append(batchOf(1, counter, { bytes: 2000 }));
    await harness.until(() => harness.pressureReports.at(-1) === true);
    await harness.reopen();
    expect(harness.log.last).toBeLessThan(zxid(1, 100));
    await rm(ballast);
  });

  it('an epoch record that finds no room is written when there is room again; the old one stands meanwhile', async () => {
    const root = await smallDisk();
    const warnings: string[] = [];
    const scheduler = { defer: (task: () => void) => setImmediate(task), after: () => () => undefined };
    const storage = await openNodeStorage({
      runtime: nodeRuntime,
      directory: path.join(root, 'data'),
      serverId: toServerId(7),
      treeStores: new MemoryTreeDisk({ scheduler }),
      segmentBytes,
      fullDiskRetryMs: 20,
      warn: (text) => warnings.push(text),
    });
    const ballast = await fillDisk(root);
    const before = storage.record;
    const record = { ...before, acceptedEpoch: toEpoch(3) };
    const answers: unknown[] = [];
    storage.persist(record, (error) => answers.push(error));
    await expect.poll(() => warnings.length).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect({ answers, record: storage.record, warnings: warnings.length }).toEqual({
      answers: [],
      record: before,
      warnings: 1,
    });
    await rm(ballast);
    await expect.poll(() => answers).toEqual([null]);
    expect(storage.record).toEqual(record);
    await new Promise<void>((resolve) => storage.close(resolve));
  });

  it('a write that fails inside a segment stops the log for good', async () => {
    const root = await smallDisk();
    const harness = await LogHarness.create({ root, segmentBytes });
    harnesses.push(harness);
    await harness.append(batchOf(1, 1));
    await harness.close();
    // A hole where the segment was allocated: the next page of it cannot be had.
    const segment = path.join(harness.directory, segmentFileName(1));
    await truncate(segment, 4096);
    await truncate(segment, segmentBytes);
    const ballast = await fillDisk(root);
    await harness.open();
    harness.log.append(batchOf(1, 2, { bytes: 20_000 }));
    harness.log.append(batchOf(1, 3));
    await harness.until(() => harness.failures.length > 0);
    await writeFile(ballast, '');
    harness.log.append(batchOf(1, 4));
    let truncated = false;
    harness.log.truncate(zxid(1, 1), () => {
      truncated = true;
    });
    expect((await harness.read(zxid(1, 0), 100)).length).toBe(1);
    await harness.close();
    harnesses.pop();
    expect(harness.failures.length).toBe(1);
    expect(harness.durableReports).toEqual([zxid(1, 1)]);
    expect(truncated).toBe(false);
    await harness.open();
    harnesses.push(harness);
    expect(harness.log.last).toBe(zxid(1, 1));
  });
});
