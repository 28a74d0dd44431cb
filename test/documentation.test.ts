// Documents as their readers get them: what a machine can check of their form and of what they repeat from the code.

import { readdirSync, readFileSync } from 'node:fs';
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

it('the list of decisions has every record, under its number and title, in order', () => {
  const records = readdirSync(new URL('../docs/decisions/', import.meta.url))
    .filter((name) => name !== 'README.md')
    .sort();
  expect(records.filter((name) => !/^\d{4}-[a-z0-9-]+\.md$/.test(name))).toEqual([]);
  const entries = records.map((name, index) => {
    const [title = '', , status = ''] = textOf(`docs/decisions/${name}`).split('\n');
    expect(name.slice(0, 4)).toBe(String(index + 1).padStart(4, '0'));
    expect(title).toMatch(new RegExp(`^# ${name.slice(0, 4)}: `));
    expect(status, name).toMatch(/^Status: (accepted(, replaces \d{4})?|replaced by \d{4})$/);
    const relation = /replace(s|d by) \d{4}$/.exec(status)?.[0];
    return `- [${title.slice('# '.length)}](${name})${relation === undefined ? '' : ` (${relation})`}`;
  });
  const [, list = ''] = /\n## Records\n([\s\S]*?)\n## /.exec(textOf('docs/decisions/README.md')) ?? [];
  expect(list.split('\n').filter((line) => line !== '')).toEqual(entries);
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
