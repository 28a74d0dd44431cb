import { cp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, describeBatches, LogHarness, zxid } from '../../test/support/log-harness.js';
import { zxidZero } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { LogDamageError } from './log-damage-error.js';
import { beginRecordHeader, recordBytes, recordHeaderBytes, sealRecordHeader } from './log-record.js';
import { decodeSegmentHeader, encodeSegmentHeader, segmentFileName, segmentHeaderBytes } from './log-segment.js';
import { removeFromPosition, truncationFileName, writeTruncationMark } from './log-truncation.js';
import { nodeFileSystem } from './node-file-system.js';

const harnesses: LogHarness[] = [];

function track(harness: LogHarness): LogHarness {
  harnesses.push(harness);
  return harness;
}

afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.remove();
});

/** A closed log of these groups; each group is one write. */
async function closedLog(groups: readonly (readonly Batch[])[], segmentBytes = 8192): Promise<LogHarness> {
  const harness = track(await LogHarness.create({ segmentBytes }));
  for (const group of groups) await harness.append(...group);
  await harness.close();
  return harness;
}

function segmentFile(harness: LogHarness, sequence = 1): string {
  return path.join(harness.directory, segmentFileName(sequence));
}

async function edit(file: string, change: (bytes: Buffer) => unknown): Promise<void> {
  const bytes = await readFile(file);
  change(bytes);
  await writeFile(file, bytes);
}

/** Offset of each record, and the end, of a log whose records all lie in one segment. */
function offsets(batches: readonly Batch[]): number[] {
  const found = [segmentHeaderBytes];
  for (const batch of batches) found.push((found.at(-1) ?? 0) + recordBytes(batch.body.length));
  return found;
}

async function damageOf(harness: LogHarness): Promise<LogDamageError> {
  try {
    await harness.open();
  } catch (error) {
    if (error instanceof LogDamageError) return error;
    throw error;
  }
  throw new Error('the log opened, expected damage');
}

const three = [batchOf(1, 1, { bytes: 33 }), batchOf(1, 2, { bytes: 40 }), batchOf(1, 3, { bytes: 30 })] as const;

describe('a torn tail', () => {
  const starts = offsets(three);
  const lastStart = starts[2] ?? 0;
  const lastEnd = (starts[3] ?? 0) - 2;

  it('is cut wherever the last record stops: the rest zeros, old garbage, or no file at all', async () => {
    const whole = await closedLog(three.map((batch) => [batch]));
    const original = await readFile(segmentFile(whole));
    const tails: readonly ((at: number) => Buffer)[] = [
      (at) => Buffer.concat([original.subarray(0, at), Buffer.alloc(original.length - at)]),
      (at) => Buffer.concat([original.subarray(0, at), Buffer.alloc(original.length - at, 0xa7)]),
      (at) => original.subarray(0, at),
    ];
    for (let at = lastStart; at < lastEnd; at++) {
      for (const tail of tails) {
        await writeFile(segmentFile(whole), tail(at));
        await whole.open();
        expect(whole.log.last).toBe(zxid(1, 2));
        expect(describeBatches(await whole.readAll())).toEqual(describeBatches(three.slice(0, 2)));
        await whole.close();
      }
    }
  });

  it('is cut for every byte of the last record that is wrong', async () => {
    const whole = await closedLog(three.map((batch) => [batch]));
    const original = await readFile(segmentFile(whole));
    for (let at = lastStart; at < lastStart + recordHeaderBytes + 30; at++) {
      const torn = Buffer.from(original);
      torn.writeUInt8(torn.readUInt8(at) ^ 0x40, at);
      await writeFile(segmentFile(whole), torn);
      await whole.open();
      expect(whole.log.last).toBe(zxid(1, 2));
      expect(whole.log.cut).toMatchObject({ file: segmentFile(whole), offset: lastStart });
      await whole.reopen();
      expect(whole.log.cut).toBeNull();
      await whole.close();
    }
  });

  it('takes whole records of the same write with it, and they never come back', async () => {
    const harness = await closedLog([[batchOf(1, 1)], [batchOf(1, 2), batchOf(1, 3), batchOf(1, 4)]]);
    const [, second = 0] = offsets([batchOf(1, 1)]);
    await edit(segmentFile(harness), (bytes) => {
      bytes.writeUInt8(0xff, second + 20);
    });
    await harness.open();
    expect(harness.log.last).toBe(zxid(1, 1));
    // Of exactly the same length as the record that was cut: what lay behind it would fit on.
    await harness.append(batchOf(1, 2));
    await harness.reopen();
    expect(harness.log.last).toBe(zxid(1, 2));
    const bytes = await readFile(segmentFile(harness));
    expect(bytes.subarray(offsets([batchOf(1, 1), batchOf(1, 2)])[2]).every((byte) => byte === 0)).toBe(true);
  });

  it('is cut also when the write was the first one of a new segment', async () => {
    const harness = await closedLog([[batchOf(1, 1, { bytes: 800 })], [batchOf(1, 2, { bytes: 800 })]], 1024);
    for (const at of [0, 10, segmentHeaderBytes - 1, segmentHeaderBytes, segmentHeaderBytes + 100]) {
      const copy = track(await harness.snapshot());
      await edit(segmentFile(copy, 2), (bytes) => bytes.fill(0, at));
      await copy.open();
      expect(copy.log.last).toBe(zxid(1, 1));
      await copy.append(batchOf(1, 2, { bytes: 900 }));
      await copy.reopen();
      expect(copy.log.last).toBe(zxid(1, 2));
    }
  });

  it('with a segment header lost but its first record whole is cut too', async () => {
    const harness = await closedLog([[batchOf(1, 1, { bytes: 800 })], [batchOf(1, 2, { bytes: 800 })]], 1024);
    await edit(segmentFile(harness, 2), (bytes) => bytes.fill(0, 0, segmentHeaderBytes));
    await harness.open();
    expect(harness.log.last).toBe(zxid(1, 1));
  });
});

describe('damage', () => {
  it('of any byte below the known durable position is an error that names file and offset', async () => {
    const whole = await closedLog(three.map((batch) => [batch]));
    const original = await readFile(segmentFile(whole));
    const [first = 0, second = 0] = offsets(three);
    for (let at = first; at < first + recordHeaderBytes + 33; at += 1) {
      const damaged = Buffer.from(original);
      damaged.writeUInt8(damaged.readUInt8(at) ^ 0x08, at);
      await writeFile(segmentFile(whole), damaged);
      const error = await damageOf(whole);
      expect([error.file, error.offset]).toEqual([segmentFile(whole), first]);
    }
    // A block that reads as zeros.
    await writeFile(segmentFile(whole), original.fill(0, second, second + 60));
    expect((await damageOf(whole)).offset).toBe(second);
  });

  it('in the middle of a large log is found by what later records know', async () => {
    const batches = Array.from({ length: 300 }, (_, i) => [batchOf(1, i + 1, { bytes: 10_000 })]);
    const harness = await closedLog(batches, 8 * 2 ** 20);
    await edit(segmentFile(harness), (bytes) => bytes.fill(0x33, 1_500_000, 1_600_000));
    const error = await damageOf(harness);
    expect(error.message).toContain('damage, not a torn tail');
  });

  it('of a segment that another one follows is an error, whatever its last record was', async () => {
    const harness = await closedLog([[batchOf(1, 1, { bytes: 800 })], [batchOf(1, 2, { bytes: 800 })]], 1024);
    await edit(segmentFile(harness, 1), (bytes) => bytes.fill(0, 300, 310));
    const error = await damageOf(harness);
    expect([error.file, error.offset]).toEqual([segmentFile(harness, 1), segmentHeaderBytes]);
  });

  it('is a segment that is missing in the middle, at the beginning, or all of them', async () => {
    const batches = Array.from({ length: 8 }, (_, i) => [batchOf(1, i + 1, { bytes: 500 })]);
    const harness = await closedLog(batches, 1024);
    const middle = track(await harness.snapshot());
    await rm(segmentFile(middle, 2));
    expect((await damageOf(middle)).message).toContain('damaged or missing');
    const none = track(await harness.snapshot());
    for (const name of await readdir(none.directory)) await rm(path.join(none.directory, name));
    expect((await damageOf(none)).message).toContain('there is no segment');
    const header = track(await harness.snapshot());
    await edit(segmentFile(header, 1), (bytes) => bytes.fill(0, 0, segmentHeaderBytes));
    expect((await damageOf(header)).message).toContain('no valid segment header');
    const second = track(await harness.snapshot());
    await edit(segmentFile(second, 2), (bytes) => bytes.fill(0, 0, segmentHeaderBytes));
    expect((await damageOf(second)).file).toBe(segmentFile(second, 1));
  });

  it('is a segment of another log and one under a wrong name, but not one of a newer format', async () => {
    const harness = await closedLog([[batchOf(1, 1, { bytes: 800 })], [batchOf(1, 2, { bytes: 800 })]], 1024);
    const other = await closedLog([[batchOf(1, 1, { bytes: 800 })], [batchOf(1, 2, { bytes: 800 })]], 1024);
    const mixed = track(await harness.snapshot());
    await cp(segmentFile(other, 2), segmentFile(mixed, 2));
    expect((await damageOf(mixed)).message).toContain('it belongs to another log');
    const renamed = track(await harness.snapshot());
    await rename(segmentFile(renamed, 2), segmentFile(renamed, 7));
    expect((await damageOf(renamed)).message).toContain('it is segment 2 by its header');
    await edit(segmentFile(harness, 1), (bytes) => {
      bytes.writeUInt32LE(9, 8);
    });
    const refusal = harness.open();
    await expect(refusal).rejects.toThrow('format version is 9, expected 1');
    await expect(refusal).rejects.not.toBeInstanceOf(LogDamageError);
  });

  it('is a hole in the zxids of records that are otherwise whole', async () => {
    const harness = await closedLog([[batchOf(1, 1)]]);
    await edit(segmentFile(harness), (bytes) => {
      const decoded = decodeSegmentHeader(bytes.subarray(0, segmentHeaderBytes));
      if (decoded.type !== 'valid') throw new Error('no header');
      const position = offsets([batchOf(1, 1)])[1] ?? 0;
      const jump = batchOf(1, 3);
      const header = beginRecordHeader(jump, bytes.readUInt32LE(segmentHeaderBytes + 12));
      sealRecordHeader(header, { position, durablePosition: position, salt: decoded.header.salt });
      header.copy(bytes, position);
      Buffer.from(jump.body).copy(bytes, position + recordHeaderBytes);
    });
    expect((await damageOf(harness)).message).toContain('a hole: 1.3..1.3 after 1.1');
  });

  it('found while reading is reported to the reader', async () => {
    const harness = track(await LogHarness.create());
    await harness.append(...three);
    await edit(segmentFile(harness), (bytes) => bytes.fill(1, segmentHeaderBytes + 60, segmentHeaderBytes + 70));
    await expect(harness.read(zxidZero, 10)).rejects.toBeInstanceOf(LogDamageError);
  });
});

describe('an interrupted truncation', () => {
  const batches = Array.from({ length: 12 }, (_, i) => batchOf(1, i + 1, { bytes: 200 }));
  const kept = 4;

  /** Positions of the cut and of each segment, as the log sees them. */
  async function cuttable(harness: LogHarness): Promise<{ file: string; startPosition: number; end: number }[]> {
    const found: Awaited<ReturnType<typeof cuttable>> = [];
    for (const name of (await readdir(harness.directory)).sort()) {
      const file = path.join(harness.directory, name);
      const bytes = await readFile(file);
      const decoded = decodeSegmentHeader(bytes);
      if (decoded.type === 'valid')
        found.push({ file, startPosition: decoded.header.startPosition, end: bytes.length });
    }
    return found;
  }

  async function cutPosition(harness: LogHarness): Promise<number> {
    const copy = await harness.snapshot();
    await copy.open();
    await copy.truncate(zxid(1, kept));
    const position = copy.log.bytes;
    await copy.remove();
    return position;
  }

  it('is finished at the next opening, at whatever step it stopped', async () => {
    const harness = await closedLog(
      batches.map((batch) => [batch]),
      1024,
    );
    const position = await cutPosition(harness);
    const segments = await cuttable(harness);
    expect(segments.length).toBeGreaterThan(2);
    const newest = segments.at(-1)?.file ?? '';
    const target = segments.findLast((segment) => segment.startPosition < position);
    const steps: readonly ((copy: LogHarness) => Promise<void>)[] = [
      async () => undefined,
      async (copy) => rm(path.join(copy.directory, path.basename(newest))),
      async (copy) => {
        for (const segment of segments)
          if (segment.startPosition >= position) await rm(path.join(copy.directory, path.basename(segment.file)));
      },
      // Zeros reached the disk in part, and not in order.
      async (copy) =>
        edit(path.join(copy.directory, path.basename(target?.file ?? '')), (bytes) => {
          const from = position - (target?.startPosition ?? 0);
          for (let at = from; at < bytes.length; at++) if (at % 64 < 40) bytes.writeUInt8(0, at);
        }),
      async (copy) => removeFromPosition(nodeFileSystem, await cuttable(copy), position),
    ];
    for (const step of steps) {
      const copy = track(await harness.snapshot());
      await writeTruncationMark(nodeFileSystem, copy.directory, position);
      await step(copy);
      await copy.open();
      expect(describeBatches(await copy.readAll())).toEqual(describeBatches(batches.slice(0, kept)));
      expect(await readdir(copy.directory)).not.toContain(truncationFileName);
      await copy.append(batchOf(2, 1, { bytes: 200 }));
      await copy.reopen();
      expect(copy.log.last).toBe(zxid(2, 1));
    }
  });

  it('whose mark was not complete has not happened', async () => {
    const harness = await closedLog(batches.map((batch) => [batch]));
    await writeFile(path.join(harness.directory, `${truncationFileName}.tmp`), 'zabtree trunc');
    await harness.open();
    expect(harness.log.last).toBe(zxid(1, 12));
  });
});

describe('a spare segment', () => {
  it('that is half filled, shorter or longer than usual does no harm', async () => {
    const harness = await closedLog([[batchOf(1, 1)]], 1024);
    for (const size of [0, 10, 700, 1024, 5000]) {
      await writeFile(segmentFile(harness, 2), Buffer.alloc(size));
      await harness.open();
      expect(harness.log.cut).toBeNull();
      expect(harness.log.last).toBe(zxid(1, 1));
      await harness.close();
    }
  });

  it.each([700, 1024])('of %i bytes is completed and used, not made anew', async (size) => {
    const harness = await closedLog([[batchOf(1, 1)]], 1024);
    await writeFile(segmentFile(harness, 2), Buffer.alloc(size));
    const { ino } = await stat(segmentFile(harness, 2));
    await harness.open();
    for (let counter = 2; harness.log.bytes <= 1024; counter++) await harness.append(batchOf(1, counter));
    await harness.close();
    const used = await stat(segmentFile(harness, 2));
    expect({ ino: used.ino, size: used.size }).toEqual({ ino, size: 1024 });
    expect(decodeSegmentHeader(await readFile(segmentFile(harness, 2)))).toMatchObject({ header: { sequence: 2 } });
  });

  it.each([3, 8, 9, 12, 40])('whose first write was torn after %i bytes is removed', async (written) => {
    const header = encodeSegmentHeader({
      sequence: 2,
      salt: 7,
      base: zxid(1, 1),
      baseChain: 5,
      startPosition: 1024,
    });
    const harness = await closedLog([[batchOf(1, 1)]], 1024);
    const torn = Buffer.alloc(1024);
    header.copy(torn, 0, 0, written);
    await writeFile(segmentFile(harness, 2), torn);
    await harness.open();
    expect(harness.log.cut).not.toBeNull();
    expect(harness.log.last).toBe(zxid(1, 1));
  });

  it('with anything in it is removed', async () => {
    const harness = await closedLog([[batchOf(1, 1)]], 1024);
    const spare = Buffer.alloc(1024);
    spare[1000] = 1;
    await writeFile(segmentFile(harness, 2), spare);
    await harness.open();
    expect(harness.log.cut).not.toBeNull();
    await harness.append(...Array.from({ length: 20 }, (_, index) => batchOf(1, index + 2)));
    expect((await readdir(harness.directory)).includes(segmentFileName(2))).toBe(false);
    await harness.reopen();
    expect(harness.log.last).toBe(zxid(1, 21));
  });

  it('may be missing, and the active one may have lost its unused end', async () => {
    const harness = await closedLog([[batchOf(1, 1)]], 1024);
    await rm(segmentFile(harness, 2), { force: true });
    await truncate(segmentFile(harness), offsets([batchOf(1, 1)])[1]);
    await harness.open();
    await harness.append(batchOf(1, 2));
    await harness.reopen();
    expect(harness.log.last).toBe(zxid(1, 2));
  });
});
