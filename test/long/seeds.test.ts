// Simulated ensembles of three, five and seven members, a minute of virtual time each, for as long as it is told. A
// failing seed is the whole reproduction.

import { expect, it } from 'vitest';
import { describeResult } from '../../src/simulator/seed-sweep.js';
import { runSimulation } from '../../src/simulator/simulation.js';
import { longFirstSeed, longMinutes } from './long-run.js';

const durationMs = 60_000;
const sizes = [3, 5, 7] as const;

it(`simulated ensembles keep their promises for ${longMinutes} minutes`, { timeout: 0 }, async () => {
  const endMs = performance.now() + longMinutes * 60_000;
  let virtualMs = 0;
  let entries = 0;
  let seed = longFirstSeed;
  for (; performance.now() < endMs; seed++) {
    const nodes = sizes[seed % sizes.length] ?? 3;
    const options = { seed, nodes, durationMs };
    const result = await runSimulation(options);
    expect(result.violations.length === 0 ? '' : describeResult(result, options)).toBe('');
    virtualMs += result.virtualMs;
    entries += result.entries;
  }
  const hours = (virtualMs / 3_600_000).toFixed(2);
  process.stdout.write(
    `${seed - longFirstSeed} seeds from ${longFirstSeed}: ${hours} simulated hours, ${entries} committed entries\n`,
  );
});
