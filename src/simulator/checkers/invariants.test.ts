// The table of checked invariants, SPEC.md and the checkers say the same.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { invariants } from './invariants.js';

const here = new URL('.', import.meta.url);
const spec = readFileSync(new URL('../../zab/SPEC.md', here), 'utf8');

/** Names in the column "checked", by number. */
function namesInSpec(): Map<string, number> {
  const names = new Map<string, number>();
  for (const line of spec.split('\n')) {
    const [, number, , , checked] = line.split('|').map((cell) => cell.trim());
    if (number === undefined || !/^[0-9]+$/.test(number)) continue;
    for (const [, name] of (checked ?? '').matchAll(/`([^`]+)`/g)) names.set(name as string, Number(number));
  }
  return names;
}

function sourceOf(checker: string): string {
  const own = new URL(`${checker}.ts`, here);
  return readFileSync(existsSync(own) ? own : new URL(`../${checker}.ts`, here), 'utf8');
}

describe('invariants', () => {
  it('are in SPEC.md under their numbers, and SPEC.md names no others', () => {
    const numbered = Object.entries(invariants).filter(([, { number }]) => number > 0);
    expect(namesInSpec()).toEqual(new Map(numbered.map(([name, { number }]) => [name, number])));
  });

  it('are all 35 in SPEC.md', () => {
    const numbers = [...spec.matchAll(/^\| ([0-9]+) \|/gm)].map(([, number]) => Number(number));
    expect(numbers).toEqual(Array.from({ length: 35 }, (_, index) => index + 1));
  });

  for (const [name, { checker }] of Object.entries(invariants)) {
    it(`"${name}" is checked where the table says`, () => {
      expect(sourceOf(checker)).toContain(`'${name}'`);
    });
  }
});
