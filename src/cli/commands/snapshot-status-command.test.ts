import { expect, it } from 'vitest';
import { sizeText } from './snapshot-status-command.js';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [20_480, '20 kB'],
  [21_504, '22 kB'],
  [9_949_999, '9.9 MB'],
  [10_000_000, '10 MB'],
  [2_147_483_648, '2.1 GB'],
])('%d bytes are shown as by etcdctl: %s', (bytes, text) => expect(sizeText(bytes)).toBe(text));
