// The pace of verification over storage that a snapshot replaces in the middle.

import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../test/support/until.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import { nodeRuntime } from '../storage/node-runtime.js';
import type { FileNodeStorage } from '../storage/node-storage.js';
import type { OpenedTreeStore } from '../storage/tree-store-opener.js';
import { DiskScrubber } from './disk-scrubber.js';

const trees = new MemoryTreeDisk({ scheduler: { defer: nodeRuntime.defer, after: nodeRuntime.after } });
let scrubber: DiskScrubber | undefined;

afterEach(() => scrubber?.stop());

interface Replaced {
  storage: Pick<FileNodeStorage, 'log' | 'store' | 'noteSettled'>;
  settled: number;
  lines: string[];
}

/** A tree whose slices fail once the other one has taken its place. */
function replacedDuringSlice(): Replaced {
  const next = trees.open('next');
  const old: OpenedTreeStore = Object.assign(Object.create(trees.open('old')) as OpenedTreeStore, {
    scrubSlice: (...[, done]: Parameters<OpenedTreeStore['scrubSlice']>) => {
      live = next;
      setImmediate(() => done(new Error('The writer thread is gone'), null));
    },
  });
  let live = old;
  const state: Replaced = {
    settled: 0,
    lines: [],
    storage: {
      get store() {
        return live;
      },
      log: { base: 0, durable: 0 } as FileNodeStorage['log'],
      noteSettled: () => {
        state.settled += 1;
      },
    },
  };
  return state;
}

describe('DiskScrubber', () => {
  it('begins again with the tree that took the place of the one it read', async () => {
    const state = replacedDuringSlice();
    scrubber = new DiskScrubber({
      storage: state.storage,
      delayMs: 1,
      intervalMs: 1_000_000,
      bytesPerSecondMax: 1_000_000,
      log: { info: (text) => state.lines.push(text), warn: (text) => state.lines.push(text) },
    });
    scrubber.start();
    await until('a round', () => state.lines.length > 0);
    expect(state.lines).toEqual(['verified everything on disk']);
    expect([state.settled, scrubber.lastRound?.rounds]).toEqual([1, 1]);
  });
});
