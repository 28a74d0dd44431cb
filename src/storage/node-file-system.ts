// The real file system, over Node's. Adds nothing to it but the shape of the port; a write of the log costs one call more.

import fs from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { assert } from '../shared/assert.js';
import type { FileExtent, FileSystem, OpenFile, OpenMode, WriteDone } from './file-system.js';

/** What a file's count of blocks is in. */
const blockBytes = 512;
const fileMode = 0o644;

const openFd = promisify(fs.open);
const closeFd = promisify(fs.close);
const readFd = promisify(fs.read);
const syncFd = promisify(fs.fsync);
const datasyncFd = promisify(fs.fdatasync);

export const nodeFileSystem: FileSystem = {
  open: async (file, mode) => new NodeFile(await openFd(file, flagsOf(mode), fileMode)),
  openSync: (file, mode) => new NodeFile(fs.openSync(file, flagsOf(mode), fileMode)),
  readText: (file) => readFile(file, 'utf8'),
  list: (directory) => readdir(directory),
  isDirectory: async (target) => (await stat(target)).isDirectory(),
  makeDirectory: (directory) => mkdir(directory),
  makeDirectorySync: (directory) => fs.mkdirSync(directory),
  makeDirectories: (directory) => mkdir(directory, { recursive: true }),
  removeDirectory: (directory) => rmdir(directory),
  rename: (from, to) => rename(from, to),
  remove: (target) => rm(target, { recursive: true, force: true }),
  syncDirectory: async (directory) => {
    const handle = await open(directory, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function flagsOf(mode: OpenMode): number {
  const { O_RDONLY, O_RDWR, O_WRONLY, O_CREAT, O_TRUNC, O_DSYNC } = fs.constants;
  switch (mode) {
    case 'read':
      return O_RDONLY;
    case 'update':
      return O_RDWR;
    case 'replace':
      return O_WRONLY | O_CREAT | O_TRUNC;
    case 'durable':
      // Without it writes would be reported durable that are not.
      assert(typeof O_DSYNC === 'number', 'Cannot open a file for durable writes: this platform has no O_DSYNC');
      return O_RDWR | O_DSYNC;
  }
}

class NodeFile implements OpenFile {
  private readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  async read(buffer: Buffer, start: number, position: number): Promise<number> {
    return (await readFd(this.fd, buffer, start, buffer.length - start, position)).bytesRead;
  }

  readSync(buffer: Buffer, start: number, position: number): number {
    return fs.readSync(this.fd, buffer, start, buffer.length - start, position);
  }

  write(bytes: Buffer, position: number, done: WriteDone): void {
    fs.write(this.fd, bytes, 0, bytes.length, position, done);
  }

  writev(pieces: Buffer[], position: number, done: WriteDone): void {
    fs.writev(this.fd, pieces, position, done);
  }

  writeSync(bytes: Buffer, start: number, position: number): number {
    return fs.writeSync(this.fd, bytes, start, bytes.length - start, position);
  }

  sync(): Promise<void> {
    return syncFd(this.fd);
  }

  datasync(): Promise<void> {
    return datasyncFd(this.fd);
  }

  extentSync(): FileExtent {
    const { size, blocks } = fs.fstatSync(this.fd);
    return { size, allocatedBytes: blocks * blockBytes };
  }

  close(): Promise<void> {
    return closeFd(this.fd);
  }

  closeSync(): void {
    fs.closeSync(this.fd);
  }
}
