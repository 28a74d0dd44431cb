// The file system of one process on a simulated disk. Every operation takes effect at its end, after a delay on the virtual
// clock; those that the port makes synchronous take effect at once. Once the process is dead it does nothing any more.

import path from 'node:path';
import { assert } from '../shared/assert.js';
import type { SeededRandom } from '../shared/random.js';
import type { FileExtent, FileSystem, OpenFile, OpenMode, WriteDone } from '../storage/file-system.js';
import { type DiskOperation, FileError, type SimulatedDisk } from './simulated-disk.js';
import { DirectoryInode, FileInode } from './simulated-inodes.js';
import type { NodeScheduler } from './virtual-clock.js';

/** Of an asynchronous write to take only part of its bytes. */
const shortWriteChance = 0.002;

export class SimulatedFileSystem implements FileSystem {
  private readonly disk: SimulatedDisk;
  private readonly scheduler: NodeScheduler;
  /** A promise was settled: what waits for it runs once the present task is over. */
  private readonly settled: () => void;

  constructor(disk: SimulatedDisk, scheduler: NodeScheduler, settled: () => void) {
    this.disk = disk;
    this.scheduler = scheduler;
    this.settled = settled;
  }

  open(file: string, mode: OpenMode): Promise<OpenFile> {
    return this.change('cached', () => this.openNow(file, mode));
  }

  openSync(file: string, mode: OpenMode): OpenFile {
    return this.openNow(file, mode);
  }

  readText(file: string): Promise<string> {
    return this.look(() => this.disk.file(file).text());
  }

  list(directory: string): Promise<readonly string[]> {
    return this.look(() => [...this.disk.directory(directory).entries.keys()]);
  }

  isDirectory(target: string): Promise<boolean> {
    return this.look(() => {
      const inode = this.disk.find(target);
      if (inode === undefined) throw new FileError('ENOENT', target);
      return inode.type === 'directory';
    });
  }

  makeDirectory(directory: string): Promise<void> {
    return this.change('cached', () => this.makeDirectoryNow(directory));
  }

  makeDirectorySync(directory: string): void {
    if (this.scheduler.alive) this.makeDirectoryNow(directory);
  }

  makeDirectories(directory: string): Promise<string | undefined> {
    return this.change('cached', () => {
      let topmost: string | undefined;
      const names = directory.split('/').filter((name) => name !== '');
      names.forEach((_, index) => {
        const each = `/${names.slice(0, index + 1).join('/')}`;
        if (this.disk.find(each) !== undefined) return;
        this.makeDirectoryNow(each);
        topmost ??= each;
      });
      return topmost;
    });
  }

  removeDirectory(directory: string): Promise<void> {
    return this.change('cached', () => {
      if (this.disk.directory(directory).entries.size > 0) throw new FileError('ENOTEMPTY', directory);
      this.parentOf(directory).change({ name: path.basename(directory), inode: null });
    });
  }

  rename(from: string, to: string): Promise<void> {
    assert(path.dirname(from) === path.dirname(to), `Cannot rename ${from}: not within its directory`);
    return this.change('cached', () => {
      const inode = this.disk.find(from);
      if (inode === undefined) throw new FileError('ENOENT', from);
      this.parentOf(to).change({ name: path.basename(from), inode: null }, { name: path.basename(to), inode });
    });
  }

  remove(target: string): Promise<void> {
    // Name by name: a process that dies has removed some of them.
    const removeSome = (namesMax: number): void => {
      const inode = this.disk.find(target);
      if (inode === undefined) return;
      let left = namesMax;
      if (inode.type === 'directory') {
        for (const name of [...inode.entries.keys()]) {
          if (left-- <= 0) return;
          inode.change({ name, inode: null });
        }
      }
      if (left > 0) this.parentOf(target).change({ name: path.basename(target), inode: null });
    };
    return this.change(
      'cached',
      () => removeSome(Number.POSITIVE_INFINITY),
      (random) => removeSome(random.below(5)),
    );
  }

  syncDirectory(directory: string): Promise<void> {
    const changed = this.scheduler.alive ? (this.directoryAt(directory)?.changed ?? 0) : 0;
    return this.change(
      'platter',
      () => {
        const inode = this.disk.directory(directory);
        if (this.disk.takeSyncFailure()) throw new FileError('EIO', directory);
        inode.sync(changed);
      },
      () => {},
    );
  }

  /** An operation that changes nothing. */
  look<T>(effect: () => T): Promise<T> {
    return this.promise(this.disk.options.cachedMs(), null, effect);
  }

  /** `cutShort`: what a crash of the process leaves of it; nothing or all when not said. */
  change<T>(
    place: 'cached' | 'platter',
    effect: () => T,
    cutShort: (random: SeededRandom) => void = (random) => {
      if (random.chance(0.5)) effect();
    },
  ): Promise<T> {
    const { options } = this.disk;
    if (this.alive()) options.step();
    return this.promise(place === 'platter' ? options.delayMs() : options.cachedMs(), { cutShort }, effect);
  }

  /** As `change` for a write, by callback. */
  write(durable: boolean, bytes: number, effect: (bytes: number) => void, done: WriteDone): void {
    const { disk, scheduler } = this;
    const { random, delayMs, cachedMs, step } = disk.options;
    if (this.alive()) step();
    if (!this.alive()) return;
    const taken = bytes > 1 && random.chance(shortWriteChance) ? 1 + random.below(bytes - 1) : bytes;
    const operation: DiskOperation = {
      cutShort: () => {
        if (random.chance(0.5)) effect(random.chance(0.5) ? taken : random.below(taken + 1));
      },
    };
    disk.inFlight.add(operation);
    const complete = (): void => {
      disk.inFlight.delete(operation);
      // The caller may have made a promise of it.
      this.settled();
      const error = errorOf(() => effect(taken));
      done(error, error === null ? taken : 0);
    };
    scheduler.deliver(durable ? delayMs() : cachedMs(), () => disk.complete(complete));
  }

  alive(): boolean {
    return this.scheduler.alive;
  }

  /** A wait for the disk that holds the whole process up. */
  block(): void {
    this.scheduler.pause(this.disk.options.delayMs());
  }

  private promise<T>(delayMs: number, operation: DiskOperation | null, effect: () => T): Promise<T> {
    const { disk, scheduler } = this;
    return new Promise((resolve, reject) => {
      // Nobody hears of what a dead process asks for.
      if (!this.alive()) return;
      if (operation !== null) disk.inFlight.add(operation);
      const complete = (): void => {
        if (operation !== null) disk.inFlight.delete(operation);
        this.settled();
        try {
          resolve(effect());
        } catch (error) {
          if (!(error instanceof FileError)) throw error;
          reject(error);
        }
      };
      scheduler.deliver(delayMs, () => disk.complete(complete));
    });
  }

  private openNow(file: string, mode: OpenMode): OpenFile {
    const { disk } = this;
    if (!this.alive()) return new SimulatedFile(this, disk, file, new FileInode(), mode);
    if (mode !== 'replace') return new SimulatedFile(this, disk, file, disk.file(file), mode);
    const found = disk.find(file);
    if (found?.type === 'directory') throw new FileError('EISDIR', file);
    const inode = found ?? new FileInode();
    if (found === undefined) this.parentOf(file).change({ name: path.basename(file), inode });
    else inode.truncate();
    return new SimulatedFile(this, disk, file, inode, mode);
  }

  private makeDirectoryNow(directory: string): void {
    if (this.disk.find(directory) !== undefined) throw new FileError('EEXIST', directory);
    this.disk.takeSpace(directory);
    this.parentOf(directory).change({ name: path.basename(directory), inode: new DirectoryInode() });
  }

  private parentOf(target: string): DirectoryInode {
    return this.disk.directory(path.dirname(target));
  }

  private directoryAt(directory: string): DirectoryInode | undefined {
    const inode = this.disk.find(directory);
    return inode?.type === 'directory' ? inode : undefined;
  }
}

class SimulatedFile implements OpenFile {
  private readonly files: SimulatedFileSystem;
  private readonly disk: SimulatedDisk;
  private readonly name: string;
  private readonly inode: FileInode;
  private readonly mode: OpenMode;

  constructor(files: SimulatedFileSystem, disk: SimulatedDisk, name: string, inode: FileInode, mode: OpenMode) {
    this.files = files;
    this.disk = disk;
    this.name = name;
    this.inode = inode;
    this.mode = mode;
  }

  read(buffer: Buffer, start: number, position: number): Promise<number> {
    return this.files.look(() => this.inode.read(buffer, start, position));
  }

  readSync(buffer: Buffer, start: number, position: number): number {
    return this.inode.read(buffer, start, position);
  }

  write(bytes: Buffer, position: number, done: WriteDone): void {
    const put = (count: number): void => this.put(bytes.subarray(0, count), position);
    this.files.write(this.mode === 'durable', bytes.length, put, done);
  }

  writev(pieces: Buffer[], position: number, done: WriteDone): void {
    this.write(Buffer.concat(pieces), position, done);
  }

  writeSync(bytes: Buffer, start: number, position: number): number {
    if (this.files.alive()) this.disk.options.step();
    if (!this.files.alive()) return bytes.length - start;
    this.put(bytes.subarray(start), position);
    if (this.mode === 'durable') this.files.block();
    return bytes.length - start;
  }

  sync(): Promise<void> {
    return this.files.change(
      'platter',
      () => this.syncNow(),
      () => {},
    );
  }

  datasync(): Promise<void> {
    return this.sync();
  }

  extentSync(): FileExtent {
    return { size: this.inode.size, allocatedBytes: this.inode.allocatedBytes };
  }

  close(): Promise<void> {
    return this.files.look(() => {});
  }

  closeSync(): void {}

  private put(bytes: Buffer, position: number): void {
    const { disk, inode, name } = this;
    if (disk.takeWriteFailure()) {
      inode.write(bytes.subarray(0, disk.options.random.below(bytes.length + 1)), position);
      throw new FileError('EIO', name);
    }
    if (position + bytes.length > inode.size) disk.takeSpace(name);
    inode.write(bytes, position);
    if (this.mode !== 'durable') return;
    if (disk.takeSyncFailure()) {
      inode.failSync();
      throw new FileError('EIO', name);
    }
    inode.syncRange(position, bytes.length);
  }

  private syncNow(): void {
    if (!this.disk.takeSyncFailure()) {
      this.inode.sync();
      return;
    }
    this.inode.failSync();
    throw new FileError('EIO', this.name);
  }
}

function errorOf(effect: () => void): FileError | null {
  try {
    effect();
    return null;
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
}
