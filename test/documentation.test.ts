// Documents as their readers get them: what a machine can check of their form.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const lineLengthMax = 120;

it('the lines of the README fit beside each other on a screen', () => {
  const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const long = text.split('\n').filter((line) => [...line].length > lineLengthMax);
  expect(long).toEqual([]);
});
