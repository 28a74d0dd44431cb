// What storage takes from the world around it: files, turns of the event loop, time, randomness and the lock. Injected, so
// that the same code runs on a real machine (node-runtime.ts) and on a simulated one, where everything follows from a seed.

import type { FileSystem } from './file-system.js';

export interface DirectoryLock {
  release(): Promise<void>;
}

export interface StorageRuntime {
  readonly files: FileSystem;
  /** Runs the task in a later turn of the event loop, after what has already arrived; in the order of the calls. */
  defer(task: () => void): void;
  /** Runs the task once; the returned function cancels it. It does not keep a process alive. */
  after(delayMs: number, task: () => void): () => void;
  /** Monotonic milliseconds, any origin, fractional. */
  nowMs(): number;
  randomBytes(count: number): Buffer;
  /** Throws DataDirectoryError when another process (or this one) has the directory open. */
  lock(directory: string): Promise<DirectoryLock>;
}
