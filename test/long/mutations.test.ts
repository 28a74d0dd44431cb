// Every mutation of the gate from seed 1 on until it is noticed, and the table of it. With RECORD_MUTATIONS=1 the seeds
// found are the recorded ones from then on (test/mutations/recorded-seeds.json).

import { afterAll, describe, expect, it } from 'vitest';
import { catalogue } from '../mutations/catalogue.js';
import { MutatedSimulator } from '../mutations/mutated-simulator.js';
import type { Mutation } from '../mutations/mutation.js';
import { type RecordedSeed, readRecordedSeeds, writeRecordedSeeds } from '../mutations/recorded-seeds.js';

const seedsMax = 300;

const found = new Map<string, RecordedSeed>();

describe(`the simulator notices within ${seedsMax} seeds`, () => {
  afterAll(() => {
    process.stdout.write(`\n${table()}\n`);
    if (process.env['RECORD_MUTATIONS'] !== '1') return;
    const before = readRecordedSeeds();
    const after: Record<string, RecordedSeed> = {};
    for (const { id } of catalogue) {
      const seed = found.get(id) ?? before[id];
      if (seed !== undefined) after[id] = seed;
    }
    writeRecordedSeeds(after);
  });

  for (const mutation of catalogue) {
    it(mutation.id, { timeout: 600_000 }, async () => {
      const seed = await firstNoticed(mutation);
      expect(seed, `${mutation.id} (${mutation.broken}) is not noticed within ${seedsMax} seeds`).toBeDefined();
      if (seed !== undefined) found.set(mutation.id, seed);
    });
  }
});

async function firstNoticed(mutation: Mutation): Promise<RecordedSeed | undefined> {
  const simulator = await MutatedSimulator.load(mutation);
  for (let seed = 1; seed <= seedsMax; seed++) {
    const { noticed } = await simulator.run(seed);
    if (noticed === undefined) continue;
    return { seed, nodes: mutation.nodes, seconds: mutation.seconds, invariant: noticed.invariant };
  }
  return undefined;
}

function table(): string {
  const rows = catalogue.map(({ id, source }) => {
    const seed = found.get(id);
    return `| ${id} | ${source} | ${seed?.invariant ?? 'none'} | ${seed?.seed ?? '–'} |`;
  });
  return ['| switch | source | noticed by | seeds needed |', '|---|---|---|---|', ...rows].join('\n');
}
