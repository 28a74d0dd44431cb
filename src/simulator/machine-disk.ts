// What outlives the processes of one simulated member: the disk with its files and its trees, how long it takes, and when a
// step of it is a crash. Knows nothing of the process but on whose time it works.

import type { SeededRandom } from '../shared/random.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { RunPlan } from './run-plan.js';
import { SimulatedDisk } from './simulated-disk.js';
import type { NodeScheduler } from './virtual-clock.js';
import type { World } from './world.js';

/** What dies in a crash. */
export type CrashKind = 'process' | 'machine';

/** The longest that an operation takes which needs no platter. */
const cachedMsMax = 0.05;
/** However slow a disk is: what was begun then must have ended when progress is demanded. */
const diskDelayMaxMs = 5_000;

export class MachineDisk {
  readonly files: SimulatedDisk;
  readonly trees: MemoryTreeDisk;
  /** Disk work takes this many times longer. */
  slowness = 1;
  private readonly random: SeededRandom;
  private readonly speed: RunPlan['disk'];
  private stepsToCrash = 0;
  private crashNow: () => void = () => {};

  constructor(parts: {
    readonly world: World;
    readonly random: SeededRandom;
    readonly speed: RunPlan['disk'];
    /** Of the process that runs at the time. */
    readonly scheduler: () => NodeScheduler | undefined;
  }) {
    const { world, random, scheduler } = parts;
    this.random = random;
    this.speed = parts.speed;
    this.files = new SimulatedDisk({
      random,
      delayMs: () => this.diskDelayMs(),
      cachedMs: () => random.next() * cachedMsMax * this.slowness,
      step: () => this.step(),
    });
    const noted = (task: () => void) => (): void => {
      world.clock.promisesDue();
      task();
    };
    this.trees = new MemoryTreeDisk({
      // Of whatever process runs at the time: the disk outlives each of them.
      scheduler: {
        defer: (task) => scheduler()?.defer(noted(task)),
        after: (milliseconds, task) => scheduler()?.after(milliseconds, noted(task)) ?? (() => {}),
      },
      delayMs: () => this.diskDelayMs(),
      fault: () => (this.files.full ? Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }) : null),
      flushSurvives: () => random.chance(0.5),
    });
  }

  /** At this step of its disk operations, counted from now over restarts, `crashNow` is called; 0 = at none. */
  crashAtStep(steps: number, crashNow: () => void): void {
    this.stepsToCrash = steps;
    this.crashNow = crashNow;
  }

  /** Something is about to be asked of the disk. */
  step(): void {
    if (this.stepsToCrash === 0) return;
    this.stepsToCrash -= 1;
    if (this.stepsToCrash === 0) this.crashNow();
  }

  /** Keeps what was synced. */
  crash(kind: CrashKind): void {
    this.files.crash(kind);
    this.trees.crash();
    this.trees.keep((directory) => this.files.find(directory) !== undefined);
  }

  /** Everything is gone. */
  wipe(): void {
    this.files.wipe();
    this.trees.keep(() => false);
  }

  private diskDelayMs(): number {
    const { delayMinMs, delayJitterMs, spikeChance, spikeMs } = this.speed;
    const spike = spikeChance > 0 && this.random.chance(spikeChance) ? this.random.next() * spikeMs : 0;
    const delayMs = (delayMinMs + this.random.next() * delayJitterMs + spike) * this.slowness;
    return Math.min(delayMs, Math.max(diskDelayMaxMs, spike));
  }
}
