import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { StoreError } from '../../shared/errors.js';
import { saveSnapshot } from './snapshot-save-command.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-save-'));
const file = join(directory, 'a.db');
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => writeFileSync(file, 'the one before'));

const body = Buffer.alloc(1_000, 7);
const whole = Buffer.concat([body, createHash('sha256').update(body).digest()]);

async function* inParts(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

it.each([1, 31, 32, 33, 500, 2_000])('a snapshot in parts of %d bytes is in the file, whole', async (length) => {
  const sha256 = whole.subarray(-32).toString('hex');
  expect(await saveSnapshot(inParts(whole, length), file)).toEqual({ bytes: whole.length, sha256 });
  expect(readFileSync(file).equals(whole)).toBe(true);
  expect(readdirSync(directory)).toEqual(['a.db']);
});

it.each([
  ['is damaged', Buffer.concat([Buffer.alloc(1, 8), whole.subarray(1)])],
  ['ends too early', whole.subarray(0, -1)],
  ['is empty', Buffer.alloc(0)],
])('one that %s leaves the file as it was', async (_, bytes) => {
  await expect(saveSnapshot(inParts(bytes, 100), file)).rejects.toThrow(
    `Cannot save snapshot "${file}": what came does`,
  );
  expect(readFileSync(file, 'utf8')).toBe('the one before');
  expect(readdirSync(directory)).toEqual(['a.db']);
});

it('one that breaks off leaves the file as it was, and says why', async () => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield body;
    throw new StoreError('UNAVAILABLE', 'gone');
  }
  await expect(saveSnapshot(broken(), file)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(readFileSync(file, 'utf8')).toBe('the one before');
  expect(readdirSync(directory)).toEqual(['a.db']);
});

it('says that there is no such directory', async () => {
  await expect(saveSnapshot(inParts(whole, 100), join(directory, 'none', 'a.db'))).rejects.toThrow(
    `a.db": there is no directory "${join(directory, 'none')}"`,
  );
});

it.each(['/dev/null', directory])('%s does not give way to it', async (place) => {
  const message = `Cannot save snapshot "${place}": it is there and is no file`;
  await expect(saveSnapshot(inParts(whole, 100), place)).rejects.toThrow(message);
});
