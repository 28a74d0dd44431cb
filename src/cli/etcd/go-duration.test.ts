import { expect, it } from 'vitest';
import { parseGoDuration } from './go-duration.js';

it.each([
  ['0', 0],
  ['1h30m', 5_400_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['300ms', 300],
  ['10us', 0.01],
  ['10µs', 0.01],
  ['-1m', -60_000],
  ['+2s', 2_000],
])('parseGoDuration() reads %s', (text, milliseconds) => {
  expect(parseGoDuration(text)).toBeCloseTo(milliseconds, 9);
});

it.each(['', '1', '5', 'h', '1 h', '1d', '1h 2m', '.s', '1..5s', '1e3s', '--1s', 'constructor'])(
  'parseGoDuration() refuses "%s"',
  (text) => {
    expect(parseGoDuration(text)).toBeUndefined();
  },
);
