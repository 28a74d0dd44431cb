// The reference of the configuration names every setting there is, and every default of a bound.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { settings } from './config-settings.js';
import { limits } from './limits.js';
import { defaultTiming } from './node-config.js';
import { pascalCase } from './pascal-case.js';

const reference = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');

it.each(settings.map(({ path }) => path.join('.')))('docs/reference/configuration.md describes %s', (key) => {
  expect(reference).toContain(`\`${key}\``);
});

const defaults = [
  ...Object.entries(limits).map(([name, value]) => [`Limits.${pascalCase(name)}`, value] as const),
  ...Object.entries(defaultTiming).map(([name, value]) => [`Timing.${pascalCase(name)}`, value as number] as const),
];

it.each(defaults)('docs/reference/configuration.md tells the default of %s, %d', (key, value) => {
  const row = reference.split('\n').find((line) => line.split('|')[1]?.trim() === `\`${key}\``);
  expect(row?.split('|')[2]?.trim()).toBeOneOf([
    value.toLocaleString('en-US'),
    `${value / 2 ** 20} MiB`,
    `${value / 2 ** 10} KiB`,
  ]);
});
