// What production storage takes from the world, for one simulated process: files on its simulated disk, turns and timers
// of its scheduler, randomness of its seed. No lock: a simulated machine runs one process at a time.

import type { SeededRandom } from '../shared/random.js';
import type { StorageRuntime } from '../storage/storage-runtime.js';
import type { SimulatedDisk } from './simulated-disk.js';
import { SimulatedFileSystem } from './simulated-file-system.js';
import type { NodeScheduler } from './virtual-clock.js';

export interface SimulatedRuntimeOptions {
  readonly disk: SimulatedDisk;
  /** Of the process: dies with it. */
  readonly scheduler: NodeScheduler;
  readonly random: SeededRandom;
  /** Storage has been called or called back: promises may wait to run. */
  readonly promisesDue: () => void;
}

export function simulatedRuntime(options: SimulatedRuntimeOptions): StorageRuntime {
  const { disk, scheduler, random, promisesDue } = options;
  return {
    files: new SimulatedFileSystem(disk, scheduler, promisesDue),
    defer: (task) => {
      scheduler.defer(() => {
        promisesDue();
        task();
      });
    },
    after: (delayMs, task) =>
      scheduler.after(delayMs, () => {
        promisesDue();
        task();
      }),
    // A wait on the event loop itself holds the process up: its end is what the process sees next.
    nowMs: () => Math.max(scheduler.trueNowMs(), scheduler.pausedUntilMs),
    randomBytes: (count) => Buffer.from(Array.from({ length: count }, () => random.below(256))),
    lock: async () => ({ release: async () => {} }),
  };
}
