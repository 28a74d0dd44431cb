// A small file system for one node's data, which a ballast file can fill: ext4 in a file through a loop device, or tmpfs
// where that is not allowed.

import { execFile, execFileSync } from 'node:child_process';
import { cpSync, lstatSync, mkdirSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const chunkBytes = 2 ** 20;
const sparedBlocks = 256;

export class SmallDisk {
  readonly kind: 'ext4' | 'tmpfs';
  /** For the node's data; the ballast lies beside it. */
  readonly dataDirectory: string;
  private readonly mountPoint: string;
  private mounted = true;

  private constructor(kind: 'ext4' | 'tmpfs', mountPoint: string) {
    this.kind = kind;
    this.mountPoint = mountPoint;
    this.dataDirectory = join(mountPoint, 'data');
  }

  /** Throws where nothing can be mounted. */
  static mount(directory: string, bytes: number): SmallDisk {
    const mountPoint = join(directory, 'small-disk');
    mkdirSync(mountPoint);
    const image = join(directory, 'small-disk.img');
    try {
      writeFileSync(image, '');
      truncateSync(image, bytes);
      quietly('mkfs.ext4', '-q', '-F', '-m', '0', image);
      quietly('mount', '-o', 'loop', image, mountPoint);
      return new SmallDisk('ext4', mountPoint);
    } catch {
      // No loop device or no mkfs: memory then, whose fsync proves nothing but whose fullness is as good.
      rmSync(image, { force: true });
    }
    try {
      quietly('mount', '-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', mountPoint);
      return new SmallDisk('tmpfs', mountPoint);
    } catch (error) {
      rmdirSync(mountPoint);
      throw error;
    }
  }

  /** Writes until not a byte more fits. */
  async fill(): Promise<void> {
    const name = join(this.mountPoint, 'ballast');
    const { bavail, bsize } = await statfs(this.mountPoint);
    // Nearly all of it at once, where the file system can; a node that writes meanwhile may have taken some of it.
    await run('fallocate', ['-l', String(Math.max(1, bavail - sparedBlocks) * bsize), name]).catch(() => undefined);
    const ballast = await open(name, 'a');
    try {
      for (let bytes = chunkBytes; bytes >= 1; ) {
        try {
          await ballast.appendFile(Buffer.alloc(bytes, 1));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          bytes = Math.floor(bytes / 16);
        }
      }
    } finally {
      await ballast.close();
    }
  }

  empty(): void {
    rmSync(join(this.mountPoint, 'ballast'), { force: true });
  }

  /** Copies the node's data to where it outlives the mount. */
  save(directory: string): void {
    cpSync(this.dataDirectory, directory, { recursive: true, filter: (name) => !lstatSync(name).isSocket() });
  }

  /** Once nobody uses it any more. */
  unmount(): void {
    if (!this.mounted) return;
    this.mounted = false;
    // Lazily: a process that was just killed may hold it a moment longer.
    quietly('umount', '-l', this.mountPoint);
  }
}

function quietly(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
