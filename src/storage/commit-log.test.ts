import { readdir } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { batchOf, describeBatches, LogHarness, zxid } from '../../test/support/log-harness.js';
import { zxidZero } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import { segmentFileName } from './log-segment.js';

const harnesses: LogHarness[] = [];

async function createLog(options: Parameters<typeof LogHarness.create>[0] = {}): Promise<LogHarness> {
  const harness = await LogHarness.create(options);
  harnesses.push(harness);
  return harness;
}

afterEach(async () => {
  for (const harness of harnesses.splice(0)) await harness.remove();
});

function sequence(
  count: number,
  options: { readonly from?: number; readonly epoch?: number; readonly bytes?: number } = {},
): Batch[] {
  const from = options.from ?? 1;
  return Array.from({ length: count }, (_, i) =>
    batchOf(options.epoch ?? 1, from + i, { bytes: options.bytes ?? 20 + (i % 37) }),
  );
}

async function segmentCount(harness: LogHarness): Promise<number> {
  return (await readdir(harness.directory)).filter((name) => name.startsWith('segment-')).length;
}

describe('append', () => {
  it('reports everything durable, in order, once per shared write', async () => {
    const harness = await createLog();
    await harness.append(...sequence(50));
    expect(harness.log.durable).toBe(zxid(1, 50));
    expect(harness.durableReports.length).toBeLessThan(50);
    expect(harness.durableReports).toEqual([...harness.durableReports].sort((a, b) => a - b));
  });

  it('never calls back before it has returned, also on the synchronous path', async () => {
    const harness = await createLog({ segmentBytes: 2 ** 20 });
    for (let counter = 1; counter <= 200; counter++) {
      harness.log.append(batchOf(1, counter));
      expect(harness.durableReports.at(-1) ?? 0).toBeLessThan(zxid(1, counter));
      await harness.durable(zxid(1, counter));
    }
  });

  it('returns the same bodies after a restart, across segments', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    const batches = sequence(200);
    await harness.append(...batches);
    const before = { last: harness.log.last, chain: harness.log.chain, bytes: harness.log.bytes };
    await harness.reopen();
    expect({ last: harness.log.last, chain: harness.log.chain, bytes: harness.log.bytes }).toEqual(before);
    expect(harness.log.cut).toBeNull();
    expect(describeBatches(await harness.readAll())).toEqual(describeBatches(batches));
  });

  it('goes on after a restart', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    const batches = sequence(40);
    for (const batch of batches) {
      await harness.append(batch);
      await harness.reopen();
    }
    expect(describeBatches(await harness.readAll())).toEqual(describeBatches(batches));
  });

  it('takes a batch larger than a segment, and an empty body', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    const batches = [
      batchOf(1, 1),
      batchOf(1, 2, { bytes: 100_000, entries: 7 }),
      batchOf(1, 9, { bytes: 0 }),
      batchOf(1, 10, { bytes: 5000 }),
    ];
    await harness.append(...batches);
    expect(describeBatches(await harness.readAll())).toEqual(describeBatches(batches));
    await harness.reopen();
    expect(describeBatches(await harness.readAll())).toEqual(describeBatches(batches));
  });

  it('refuses a hole, a repetition and an overlap', async () => {
    const harness = await createLog();
    await harness.append(batchOf(1, 1), batchOf(1, 2));
    expect(() => harness.log.append(batchOf(1, 4))).toThrow('a hole');
    expect(() => harness.log.append(batchOf(1, 2))).toThrow('not new');
    expect(() => harness.log.append(batchOf(1, 2, { entries: 2 }))).toThrow('an overlap');
    expect(() => harness.log.append(batchOf(2, 2))).toThrow('a hole at the start of an epoch');
    await harness.append(batchOf(2, 1));
  });

  it('takes a first batch that the base lies in', async () => {
    const harness = await createLog({ base: zxid(1, 5) });
    await harness.append(batchOf(1, 3, { entries: 6 }), batchOf(1, 9));
    await harness.reopen();
    expect(harness.log.base).toBe(zxid(1, 5));
    expect((await harness.readAll()).map((batch) => batch.first)).toEqual([zxid(1, 3), zxid(1, 9)]);
  });
});

describe('chain', () => {
  it('is equal for equal logs, however they were written, and differs otherwise', async () => {
    const together = await createLog();
    const apart = await createLog({ segmentBytes: 512 });
    const other = await createLog();
    const batches = sequence(30);
    await together.append(...batches);
    for (const batch of batches) await apart.append(batch);
    await other.append(...batches.slice(0, 29), batchOf(1, 30, { bytes: 1 }));
    expect(apart.log.chain).toBe(together.log.chain);
    expect(other.log.chain).not.toBe(together.log.chain);
  });

  it('is that of the record at the end after a truncation', async () => {
    const harness = await createLog({ segmentBytes: 512 });
    const chains: number[] = [harness.log.chain];
    for (const batch of sequence(20)) {
      await harness.append(batch);
      chains.push(harness.log.chain);
    }
    for (const counter of [17, 8, 3, 0]) {
      await harness.truncate(counter === 0 ? zxidZero : zxid(1, counter));
      expect(harness.log.chain).toBe(chains[counter]);
    }
  });
});

describe('read', () => {
  it('gives at least one batch and stops at about bytesMax', async () => {
    const harness = await createLog({ segmentBytes: 2 ** 16 });
    await harness.append(...sequence(20, { bytes: 1000 }));
    expect((await harness.read(zxidZero, 1)).length).toBe(1);
    expect((await harness.read(zxid(1, 3), 2500)).map((batch) => batch.first)).toEqual([zxid(1, 4), zxid(1, 5)]);
    expect(await harness.read(zxid(1, 20), 1000)).toEqual([]);
  });

  it('gives what is appended and not durable yet', async () => {
    const harness = await createLog();
    await harness.append(batchOf(1, 1));
    harness.log.append(batchOf(1, 2));
    harness.log.append(batchOf(1, 3));
    const tail = await harness.read(zxid(1, 1), 1000);
    expect(tail.map((batch) => batch.first)).toEqual([zxid(1, 2), zxid(1, 3)]);
    await harness.durable(zxid(1, 3));
  });

  it('gives the whole batch that `after` lies in', async () => {
    const harness = await createLog();
    await harness.append(batchOf(1, 1, { entries: 5 }), batchOf(1, 6));
    expect((await harness.read(zxid(1, 3), 10))[0]?.first).toBe(zxid(1, 1));
  });

  it('finds every batch through the sparse index', async () => {
    const harness = await createLog({ segmentBytes: 2 ** 20 });
    await harness.append(...sequence(2000, { bytes: 300 }));
    for (let after = 0; after < 2000; after += 61) {
      const [found] = await harness.read(after === 0 ? zxidZero : zxid(1, after), 10);
      expect(found?.first).toBe(zxid(1, after + 1));
    }
  });

  it('reports an error below the base', async () => {
    const harness = await createLog({ base: zxid(3, 7) });
    await expect(harness.read(zxid(3, 6), 10)).rejects.toThrow('the log holds only what follows 3.7');
  });
});

describe('truncate', () => {
  it('removes what follows for good, across segments, and the log goes on', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    await harness.append(...sequence(100));
    await harness.truncate(zxid(1, 37));
    expect([harness.log.last, harness.log.durable]).toEqual([zxid(1, 37), zxid(1, 37)]);
    await harness.append(...sequence(80, { epoch: 2 }));
    await harness.reopen();
    expect(describeBatches(await harness.readAll())).toEqual(
      describeBatches([...sequence(100).slice(0, 37), ...sequence(80, { epoch: 2 })]),
    );
  });

  it('waits for what is being written', async () => {
    const harness = await createLog();
    for (const batch of sequence(10)) harness.log.append(batch);
    await harness.truncate(zxid(1, 4));
    expect(harness.log.last).toBe(zxid(1, 4));
    expect(harness.durableReports.at(-1)).toBe(zxid(1, 10));
  });

  it('goes back to every boundary', async () => {
    const harness = await createLog({ segmentBytes: 512 });
    await harness.append(...sequence(40));
    for (let counter = 39; counter >= 0; counter--) {
      await harness.truncate(counter === 0 ? zxidZero : zxid(1, counter));
      if (counter % 7 === 0) await harness.reopen();
      expect((await harness.readAll()).length).toBe(counter);
    }
  });

  it('keeps the epochs that are left', async () => {
    const harness = await createLog();
    await harness.append(...sequence(3), ...sequence(2, { epoch: 4 }), ...sequence(5, { epoch: 6 }));
    expect(harness.log.epochEnds()).toEqual([
      { epoch: 0, last: 0 },
      { epoch: 1, last: zxid(1, 3) },
      { epoch: 4, last: zxid(4, 2) },
      { epoch: 6, last: zxid(6, 5) },
    ]);
    await harness.truncate(zxid(4, 1));
    expect(harness.log.epochEnds().at(-1)).toEqual({ epoch: 4, last: zxid(4, 1) });
    await harness.reopen();
    expect(harness.log.epochEnds().map((end) => end.last)).toEqual([0, zxid(1, 3), zxid(4, 1)]);
  });
});

describe('trim', () => {
  it('drops whole segments behind `through`, as long as enough bytes stay', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    await harness.append(...sequence(100));
    const bytes = harness.log.bytes;
    expect(harness.log.trim(zxid(1, 50), bytes)).toBe(zxidZero);
    const base = harness.log.trim(zxid(1, 50), 0);
    expect(base).toBeGreaterThan(zxidZero);
    expect(base).toBeLessThanOrEqual(zxid(1, 50));
    expect(harness.log.bytes).toBeLessThan(bytes);
    expect((await harness.readAll())[0]?.first).toBe(base + 1);
    await harness.reopen();
    expect(harness.log.base).toBe(base);
    expect(harness.log.epochEnds()).toEqual([{ epoch: 1, last: zxid(1, 100) }]);
    const kept = harness.log.trim(zxid(1, 100), 3000);
    expect(kept).toBeGreaterThan(base);
    expect(harness.log.bytes).toBeGreaterThanOrEqual(3000);
  });

  it('keeps what is pinned', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    await harness.append(...sequence(100));
    const release = harness.log.pin(zxid(1, 20));
    expect(harness.log.trim(zxid(1, 100), 0)).toBeLessThanOrEqual(zxid(1, 20));
    release();
    expect(harness.log.trim(zxid(1, 100), 0)).toBeGreaterThan(zxid(1, 20));
  });

  it('does not take the file from a read under way', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    await harness.append(...sequence(100));
    const reading = harness.read(zxidZero, 500);
    harness.log.trim(zxid(1, 100), 0);
    expect((await reading)[0]?.first).toBe(zxid(1, 1));
  });

  it('leaves the disk to the segments that are kept, and one spare', async () => {
    const harness = await createLog({ segmentBytes: 1024 });
    await harness.append(...sequence(200));
    harness.log.trim(zxid(1, 200), 0);
    await harness.close();
    expect(await segmentCount(harness)).toBeLessThanOrEqual(2);
    await harness.open();
    expect(harness.log.last).toBe(zxid(1, 200));
  });
});

it('prepares the next segment before it is needed', async () => {
  const harness = await createLog();
  const spare = segmentFileName(2);
  await expect.poll(async () => (await readdir(harness.directory)).includes(spare), { timeout: 5000 }).toBe(true);
});
