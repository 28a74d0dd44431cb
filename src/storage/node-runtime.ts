// Storage's runtime of a real process.

import { randomBytes } from 'node:crypto';
import { lockDirectory } from './directory-lock.js';
import { nodeFileSystem } from './node-file-system.js';
import type { StorageRuntime } from './storage-runtime.js';

export const nodeRuntime: StorageRuntime = {
  files: nodeFileSystem,
  defer: (task) => {
    setImmediate(task);
  },
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
  nowMs: () => performance.now(),
  randomBytes,
  lock: lockDirectory,
};
