// A snapshot on disk as the reader wants it. Opened for reading only.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { SnapshotFileBytes } from './bolt-reader.js';
import { SnapshotFileError } from './snapshot-file-error.js';

export class DiskFile implements SnapshotFileBytes {
  readonly size: number;
  private readonly descriptor: number;

  /** Throws what the file system says. */
  constructor(path: string) {
    this.descriptor = openSync(path, 'r');
    this.size = fstatSync(this.descriptor).size;
  }

  read(target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length; ) {
      const count = readSync(this.descriptor, target, done, target.length - done, offset + done);
      if (count === 0) throw new SnapshotFileError('it became shorter while it was read');
      done += count;
    }
  }

  close(): void {
    closeSync(this.descriptor);
  }
}
