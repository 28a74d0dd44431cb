// The file system as the commit log, the manifest and the data directory use it: exactly the operations that they need.
// node-file-system.ts is the real one; the simulator brings one that crashes, fills up, fails and rots. Declares only.

/**
 * `read`: an existing file, to read. `update`: an existing one, to read and write. `replace`: made, or emptied. `durable`:
 * as `update`, and every write is on disk when it returns or is reported (O_DSYNC).
 */
export type OpenMode = 'read' | 'update' | 'replace' | 'durable';

/** `bytes`: how many were written, which may be fewer than were given. */
export type WriteDone = (error: Error | null, bytes: number) => void;

export interface FileExtent {
  readonly size: number;
  /** Bytes that have their place on the disk. Less than the size: the file has holes. */
  readonly allocatedBytes: number;
}

/** An open file. Nothing here repeats or completes a short read or write: the caller does. */
export interface OpenFile {
  /** Fills `buffer` from `start` on with what is in the file at `position`; returns how many bytes, 0 at the end. */
  read(buffer: Buffer, start: number, position: number): Promise<number>;
  readSync(buffer: Buffer, start: number, position: number): number;
  /** By callback and never by promise: this is the path of an append. The bytes must not change before `done`. */
  write(bytes: Buffer, position: number, done: WriteDone): void;
  writev(pieces: Buffer[], position: number, done: WriteDone): void;
  /** Writes what `bytes` holds from `start` on. */
  writeSync(bytes: Buffer, start: number, position: number): number;
  /** Everything that was written is on disk, with all that is known about the file. */
  sync(): Promise<void>;
  /** Everything that was written is on disk and can be read back. */
  datasync(): Promise<void>;
  extentSync(): FileExtent;
  close(): Promise<void>;
  closeSync(): void;
}

/** Failures are errors with a `code`, e.g. ENOENT or ENOSPC. What is not said to be durable is not, before a sync. */
export interface FileSystem {
  open(file: string, mode: OpenMode): Promise<OpenFile>;
  openSync(file: string, mode: OpenMode): OpenFile;
  /** The whole of a small text file. */
  readText(file: string): Promise<string>;
  /** Names in a directory, in any order. */
  list(directory: string): Promise<readonly string[]>;
  isDirectory(target: string): Promise<boolean>;
  makeDirectory(directory: string): Promise<void>;
  makeDirectorySync(directory: string): void;
  /** Makes what is missing of the path; returns the topmost directory that was made, undefined when none was. */
  makeDirectories(directory: string): Promise<string | undefined>;
  /** An empty one only. */
  removeDirectory(directory: string): Promise<void>;
  /** Replaces what `to` names, at once for all readers. */
  rename(from: string, to: string): Promise<void>;
  /** A file, or a directory with all that is in it. What is not there is no error. */
  remove(target: string): Promise<void>;
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(directory: string): Promise<void>;
}
