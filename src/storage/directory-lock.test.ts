import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../test/support/log-harness.js';
import { DataDirectoryError } from './data-directory-error.js';
import { lockDirectory } from './directory-lock.js';

const directories: string[] = [];
const children: ChildProcess[] = [];

async function newDirectory(): Promise<string> {
  const directory = await temporaryDirectory();
  directories.push(directory);
  return directory;
}

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  for (const directory of directories.splice(0)) await rm(directory, { recursive: true, force: true });
});

const program = `
  import { lockDirectory } from ${JSON.stringify(path.resolve('src/storage/directory-lock.ts'))};
  lockDirectory(process.argv[1] ?? '').then(
    () => { console.log('locked'); setInterval(() => undefined, 1000); },
    (error) => { console.log(error.message); process.exit(1); },
  );
`;

/** Another process that tries to lock the directory; resolves with the first line it says. */
async function otherProcess(directory: string): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [chunk] = await once(child.stdout, 'data');
  return { child, said: String(chunk).trim() };
}

async function killed(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

describe('lockDirectory', () => {
  it('refuses a directory that this process has open, until it is released', async () => {
    const directory = await newDirectory();
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(
      `Cannot open data directory "${directory}": another process (${process.pid}) is using it`,
    );
    await lock.release();
    await (await lockDirectory(directory)).release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('refuses a directory that another process has open, and takes it once that was killed with -9', async () => {
    const directory = await newDirectory();
    const { child, said } = await otherProcess(directory);
    expect(said).toBe('locked');
    const refusal = lockDirectory(directory);
    await expect(refusal).rejects.toBeInstanceOf(DataDirectoryError);
    await expect(refusal).rejects.toThrow(`another process (${child.pid}) is using it`);
    await killed(child);
    await (await lockDirectory(directory)).release();
    expect(await readdir(directory)).toEqual([]);
  });

  it('refuses a directory whose holder is stopped and answers nothing', async () => {
    const directory = await newDirectory();
    const { child } = await otherProcess(directory);
    child.kill('SIGSTOP');
    await expect(lockDirectory(directory)).rejects.toThrow('is using it');
    await killed(child);
  });

  it('refuses the second process', async () => {
    const directory = await newDirectory();
    const lock = await lockDirectory(directory);
    const { said } = await otherProcess(directory);
    expect(said).toContain(`another process (${process.pid}) is using it`);
    await lock.release();
  });

  it('lets at most one of many in that come at once', async () => {
    const directory = await newDirectory();
    for (let round = 0; round < 5; round++) {
      const results = await Promise.allSettled(Array.from({ length: 6 }, () => lockDirectory(directory)));
      const locks = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      expect(locks.length).toBeLessThanOrEqual(1);
      for (const lock of locks) await lock.release();
    }
  });

  it('is not fooled by lock files of the dead, whatever they are', async () => {
    const directory = await newDirectory();
    // Under the id of a living process, as after a reuse of ids or in another container.
    await writeFile(path.join(directory, `lock-${process.pid}-00112233445566ff`), '');
    const { child } = await otherProcess(directory);
    await killed(child);
    const copied = await newDirectory();
    await cp(directory, copied, { recursive: true, filter: (source) => !path.basename(source).startsWith('lock-') });
    await (await lockDirectory(directory)).release();
    await (await lockDirectory(copied)).release();
    expect(await readdir(directory)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')('works under a path that is too long for a socket', async () => {
    const directory = path.join(await newDirectory(), 'd'.repeat(100), 'e'.repeat(100));
    await mkdir(directory, { recursive: true });
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow('is using it');
    const { said } = await otherProcess(directory);
    expect(said).toContain('is using it');
    await lock.release();
    expect(await readdir(directory)).toEqual([]);
  });
});
