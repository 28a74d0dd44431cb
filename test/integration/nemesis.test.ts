// The nemesis for a quarter of a minute, with a seed that has many faults close together: real processes are killed, paused and cut off from each other, and
// disks filled and damaged where the machine allows, while clients record what they are told. `npm run nemesis` does the
// same for as long as it is asked to.

import { expect, test } from 'vitest';
import { runNemesis } from '../nemesis/nemesis-run.js';

test('under kills, pauses and partitions the history is linearizable and nothing acknowledged is lost', async () => {
  const told: string[] = [];
  const print = (line: string): void => void told.push(line);
  const report = await runNemesis({ seed: 16_977, nodes: 3, faultsMs: 17_000, network: undefined, keep: false, print });
  expect(report.violations, told.join('\n')).toEqual([]);
  // A run that did nothing would prove nothing.
  expect(report.changes).toBeGreaterThan(100);
  expect([...report.faults.keys()]).toEqual(expect.arrayContaining(['kills', 'pauses', 'partitions']));
});
