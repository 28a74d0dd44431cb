// Documents as their readers get them: what a machine can check of their form and of what they repeat from the code.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { catalogue } from './mutations/catalogue.js';
import { readRecordedSeeds } from './mutations/recorded-seeds.js';

const lineLengthMax = 120;

function textOf(file: string): string {
  return readFileSync(new URL(`../${file}`, import.meta.url), 'utf8');
}

it('the lines of the README fit beside each other on a screen', () => {
  const long = textOf('README.md')
    .split('\n')
    .filter((line) => [...line].length > lineLengthMax);
  expect(long).toEqual([]);
});

it('no document has a figure left open', () => {
  for (const file of ['README.md', 'docs/correctness.md']) expect(textOf(file)).not.toMatch(/@[A-Z]+@/);
});

it('docs/correctness.md has the mutations of the gate with their recorded seeds', () => {
  const recorded = readRecordedSeeds();
  const rows = catalogue.map(({ id, source, broken }) => {
    const { invariant, seed } = recorded[id] ?? {};
    return `| ${id} | ${source} | ${broken} | ${invariant} | ${seed} |`;
  });
  const [, table = ''] = textOf('docs/correctness.md').split('| switch | known from |');
  expect(
    table
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .slice(0, rows.length),
  ).toEqual(rows);
});
