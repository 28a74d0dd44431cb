import fc from 'fast-check';
import { expect, it } from 'vitest';
import { batchOf, describeBatches, LogHarness, zxid } from '../../test/support/log-harness.js';
import { epochOf, type Zxid, zxidZero } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';

type Step =
  | { readonly type: 'append'; readonly sizes: readonly number[]; readonly entries: number; readonly wait: boolean }
  | { readonly type: 'newEpoch' }
  | { readonly type: 'truncate'; readonly fraction: number }
  | { readonly type: 'trim'; readonly fraction: number; readonly keepBytes: number }
  | { readonly type: 'read'; readonly fraction: number; readonly bytesMax: number }
  | { readonly type: 'crash' }
  | { readonly type: 'reopen' };

const fraction = fc.double({ min: 0, max: 1, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      sizes: fc.array(fc.oneof(fc.nat(100), fc.nat(1500)), { minLength: 1, maxLength: 8 }),
      entries: fc.integer({ min: 1, max: 4 }),
      wait: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('newEpoch' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('truncate' as const), fraction }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('trim' as const), fraction, keepBytes: fc.nat(3000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('read' as const), fraction, bytesMax: fc.nat(3000) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('crash' as const) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('reopen' as const) }) },
);

/** The log as it ought to be: a list. */
class Model {
  base: Zxid = zxidZero;
  batches: Batch[] = [];
  /** Trimmed away; a crash may still find those whose file had not been removed. */
  trimmed: Batch[] = [];
  epoch = 1;
  counter = 0;

  get last(): Zxid {
    return this.batches.at(-1)?.last ?? this.base;
  }

  next(bytes: number, entries: number): Batch {
    const batch = batchOf(this.epoch, this.counter + 1, { entries, bytes });
    this.counter += entries;
    this.batches.push(batch);
    return batch;
  }

  newEpoch(): void {
    this.epoch += 1;
    this.counter = 0;
  }

  boundary(at: number): Zxid {
    const index = Math.floor(at * (this.batches.length + 1));
    return this.batches[index - 1]?.last ?? this.base;
  }
}

async function run(harness: LogHarness, model: Model, next: Step): Promise<void> {
  const { log } = harness;
  switch (next.type) {
    case 'append':
      for (const bytes of next.sizes) log.append(model.next(bytes, next.entries));
      if (next.wait) await harness.durable(model.last);
      return;
    case 'newEpoch':
      model.newEpoch();
      return;
    case 'truncate': {
      const to = model.boundary(next.fraction);
      await harness.truncate(to);
      model.batches = model.batches.filter((batch) => batch.last <= to);
      // What was cut may not come again under the same zxid with other content.
      model.epoch = Math.max(model.epoch, epochOf(to)) + 1;
      model.counter = 0;
      return;
    }
    case 'trim': {
      const through = model.boundary(next.fraction);
      const base = log.trim(through, next.keepBytes);
      expect(base).toBeLessThanOrEqual(Math.max(through, model.base));
      model.base = base;
      model.trimmed.push(...model.batches.filter((batch) => batch.last <= base));
      model.batches = model.batches.filter((batch) => batch.last > base);
      return;
    }
    case 'read': {
      const after = model.boundary(next.fraction);
      const expected = model.batches.filter((batch) => batch.last > after);
      const found = await harness.read(after, next.bytesMax);
      expect(found.length > 0).toBe(expected.length > 0);
      expect(describeBatches(found)).toEqual(describeBatches(expected.slice(0, found.length)));
      return;
    }
    case 'crash':
      await crash(harness, model);
      return;
    case 'reopen':
      await harness.durable(model.last);
      await harness.reopen();
      return;
  }
}

/**
 * What a copy of the directory at this moment holds: all that is durable, a prefix of what was appended, and perhaps
 * the newest of what was trimmed.
 */
async function crash(harness: LogHarness, model: Model): Promise<void> {
  const durable = harness.log.durable;
  const copy = await harness.snapshot();
  const log = await copy.open();
  expect(log.last).toBeGreaterThanOrEqual(durable);
  expect(log.last).toBeLessThanOrEqual(model.last);
  expect(log.base).toBeLessThanOrEqual(model.base);
  const all = [...model.trimmed, ...model.batches];
  const expected = all.filter((batch) => batch.last > log.base && batch.last <= log.last);
  expect(describeBatches(await copy.readAll(log.base, 700))).toEqual(describeBatches(expected));
  await copy.remove();
}

it('behaves as a list of batches does, whatever is done to it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const harness = await LogHarness.create({ segmentBytes: 2048 });
      try {
        const model = new Model();
        for (const next of steps) {
          await run(harness, model, next);
          expect([harness.log.base, harness.log.last]).toEqual([model.base, model.last]);
        }
        await harness.durable(model.last);
        await harness.reopen();
        expect(describeBatches(await harness.readAll())).toEqual(describeBatches(model.batches));
      } finally {
        await harness.remove();
      }
    }),
    { numRuns: 120 },
  );
}, 60_000);

it('has the same chain as a log that was never truncated or trimmed', async () => {
  const plain = await LogHarness.create({ segmentBytes: 2 ** 16 });
  const eventful = await LogHarness.create({ segmentBytes: 1024 });
  try {
    const batches = Array.from({ length: 30 }, (_, i) => batchOf(1, i + 1, { bytes: 100 }));
    await plain.append(...batches);
    await eventful.append(...batches.slice(0, 20), batchOf(1, 21, { bytes: 7 }));
    await eventful.truncate(zxid(1, 20));
    eventful.log.trim(zxid(1, 15), 0);
    await eventful.reopen();
    await eventful.append(...batches.slice(20));
    expect(eventful.log.chain).toBe(plain.log.chain);
  } finally {
    await plain.remove();
    await eventful.remove();
  }
});
