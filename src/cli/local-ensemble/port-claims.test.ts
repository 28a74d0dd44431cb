import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { claimMs, PortClaims } from './port-claims.js';

const parent = mkdtempSync(join(tmpdir(), 'zabtree-claims-'));
afterAll(() => rmSync(parent, { recursive: true, force: true }));

it('a port is claimed once, until its claim is given back or old', () => {
  const directory = join(parent, 'ports');
  let lateMs = 0;
  const [one, other] = [new PortClaims(directory), new PortClaims(directory, () => Date.now() + lateMs)];
  expect(one.claim(20_001)).toBe(true);
  expect([one.claim(20_001), other.claim(20_001), other.claim(20_002)]).toEqual([false, false, true]);
  lateMs = claimMs + 1_000;
  expect(other.claim(20_001)).toBe(true);
  expect(one.claim(20_001)).toBe(false);
  one.giveBack();
  other.giveBack();
  expect(existsSync(directory)).toBe(false);
  expect(one.claim(20_002)).toBe(true);
  one.giveBack();
});

it('where nothing can be written, ports are taken without claims', () => {
  const nowhere = new PortClaims(join(process.execPath, 'ports'));
  expect([nowhere.claim(20_001), nowhere.claim(20_001)]).toEqual([true, true]);
});
