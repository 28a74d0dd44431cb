// The recorded catching seeds (recorded-seeds.json): of each mutation the first seed, counted from 1, in which one of its
// invariants notices it. They hold for the simulator as it was when they were recorded: a change of its draws shifts all.

import { readFileSync, writeFileSync } from 'node:fs';

export interface RecordedSeed {
  readonly seed: number;
  readonly nodes: number;
  readonly seconds: number;
  readonly invariant: string;
}

export const recordCommand = 'npm run record:mutations';

const file = new URL('recorded-seeds.json', import.meta.url);

export function readRecordedSeeds(): Readonly<Record<string, RecordedSeed>> {
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, RecordedSeed>;
}

export function writeRecordedSeeds(seeds: Readonly<Record<string, RecordedSeed>>): void {
  writeFileSync(file, `${JSON.stringify(seeds, null, 2)}\n`);
}
