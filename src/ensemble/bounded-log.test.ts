import { expect, test } from 'vitest';
import { boundedLog, linesPerIntervalMax, logIntervalMs } from './bounded-log.js';

function setup() {
  const lines: [string, unknown][] = [];
  const keep = (text: string, details?: Readonly<Record<string, unknown>>): void => {
    lines.push([text, details]);
  };
  const clock = { ms: 5, nowMs: () => clock.ms };
  return { lines, clock, log: boundedLog({ info: keep, warn: keep, error: keep }, clock) };
}

test('of one kind so many lines are written in an interval, and the next one tells how many were left out', () => {
  const { lines, clock, log } = setup();
  for (let index = 0; index < linesPerIntervalMax + 7; index++) log.warn(`closed connection ${index}`);
  expect(lines.length).toBe(linesPerIntervalMax);
  log.warn('something else');
  expect(lines.length).toBe(linesPerIntervalMax + 1);
  clock.ms += logIntervalMs;
  log.warn('closed connection 99', { peer: 1 });
  expect(lines.at(-1)).toEqual(['closed connection 99', { peer: 1, suppressed: 7 }]);
  log.warn('closed connection 100');
  expect(lines.at(-1)).toEqual(['closed connection 100', undefined]);
});

test('an error is always written', () => {
  const { lines, log } = setup();
  for (let index = 0; index < 3 * linesPerIntervalMax; index++) log.error('broken');
  expect(lines.length).toBe(3 * linesPerIntervalMax);
});

test('texts of a stranger’s making are not told apart without bound', () => {
  const { lines, log } = setup();
  for (let index = 0; index < 10_000; index++) log.info(`${letters(index)} said a stranger`);
  // Kinds, and one more interval for all that came after them.
  expect(lines.length).toBeLessThan(256 + 2 * linesPerIntervalMax);
});

function letters(number: number): string {
  return [...String(number)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
}
