// The gate in every `npm test`: each mutation is still noticed in its recorded seed, further seeds show how often it is, and
// the same runs without it are clean. All 300 seeds of each are test/long's.

import { afterAll, describe, expect, it } from 'vitest';
import { catalogue } from './catalogue.js';
import { MutatedSimulator } from './mutated-simulator.js';
import type { Mutation } from './mutation.js';
import { readRecordedSeeds, recordCommand } from './recorded-seeds.js';

/** Seeds behind the recorded one: which ones is decided by the commit, and they need not notice anything. */
const freshSeeds = Number(process.env['GATE_FRESH_SEEDS'] ?? 2);
/** From the recorded one on, how many are run without the mutation as well. */
const cleanSeeds = 2;

const recorded = readRecordedSeeds();
const counts: { readonly id: string; readonly caught: number }[] = [];

describe('the simulator notices', () => {
  afterAll(() => {
    const lines = counts.map(({ id, caught }) => `  ${id.padEnd(44)} ${caught} of ${freshSeeds}`);
    process.stdout.write(`Mutations noticed in fresh seeds:\n${lines.join('\n')}\n`);
  });

  for (const mutation of catalogue) {
    it(mutation.id, { timeout: 120_000 }, async () => {
      const record = recorded[mutation.id];
      expect(record, `${mutation.id} has no recorded seed: ${recordCommand}`).toBeDefined();
      if (record === undefined) return;
      const mutated = await MutatedSimulator.load(mutation);
      const { noticed, violations } = await mutated.run(record.seed);
      expect(noticed, missed(mutation, record.seed, violations)).toBeDefined();
      let caught = 0;
      for (let seed = record.seed + 1; seed <= record.seed + freshSeeds; seed++) {
        if ((await mutated.run(seed)).noticed !== undefined) caught += 1;
      }
      counts.push({ id: mutation.id, caught });
      const clean = await MutatedSimulator.loadClean(mutation);
      for (let seed = record.seed; seed < record.seed + cleanSeeds; seed++) {
        expect((await clean.run(seed)).violations, `seed ${seed} without the mutation`).toEqual([]);
      }
    });
  }

  it('nothing that is not in the catalogue', () => {
    expect(Object.keys(recorded).sort()).toEqual(catalogue.map(({ id }) => id).sort());
  });
});

function missed(mutation: Mutation, seed: number, found: readonly { readonly invariant: string }[]): string {
  const instead = found.length === 0 ? 'nothing was found' : `found was only "${found[0]?.invariant}"`;
  return (
    `Seed ${seed} does not notice ${mutation.id} (${mutation.broken}): ${instead}. A change of the simulator's draws ` +
    `shifts all seeds: record them again with ${recordCommand}. If that needs many more seeds than before, or finds ` +
    'none, the simulator has lost power.'
  );
}
