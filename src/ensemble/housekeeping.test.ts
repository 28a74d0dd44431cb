// Housekeeping over a real tree on the in-memory store, whose disk fails when told to; on virtual time.

import { beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../config/limits.js';
import { defaultTiming } from '../config/node-config.js';
import { StoreError } from '../shared/errors.js';
import type { Revision, Zxid } from '../shared/ids.js';
import { VirtualClock } from '../simulator/virtual-clock.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import type { Operation } from '../tree/delta.js';
import { Tree } from '../tree/tree.js';
import { Housekeeping } from './housekeeping.js';

const flushMs = 10;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

let clock: VirtualClock;
let fault: Error | null;
let disk: MemoryTreeDisk;
let tree: Tree;
let housekeeping: Housekeeping;
let trimmed: Zxid[];
let handOvers: number[];
let warnings: string[];
let zxid: number;

/** Lets time pass with a tick every 50 ms. */
function pass(durationMs: number): void {
  const endMs = clock.nowMs() + durationMs;
  while (clock.nowMs() < endMs) {
    clock.runUntil(Math.min(endMs, (Math.floor(clock.nowMs() / 50) + 1) * 50));
    if (clock.nowMs() % 50 === 0) housekeeping.tick(clock.nowMs());
  }
}

function apply(operation: Operation): void {
  zxid += 1;
  const revision = (operation.type === 'put' ? tree.revision + 1 : tree.revision) as Revision;
  tree.apply([{ zxid: zxid as Zxid, revision, operations: [operation] }]);
  housekeeping.applied();
}

function put(key: string): void {
  const createRevision = (tree.revision + 1) as Revision;
  apply({ type: 'put', space: 1, key: bytes(key), value: bytes('value'), createRevision, version: 1, lease: 0n });
}

describe('Housekeeping', () => {
  beforeEach(() => {
    clock = new VirtualClock();
    fault = null;
    trimmed = [];
    handOvers = [];
    warnings = [];
    zxid = 0;
    const defer = (task: () => void): void => {
      clock.after(0, task);
    };
    const scheduler = { defer, after: (delayMs: number, task: () => void) => clock.after(delayMs, task) };
    disk = new MemoryTreeDisk({ scheduler, delayMs: () => flushMs, fault: () => fault });
    tree = new Tree(disk.open('tree'), {
      ...limits,
      sessionsMax: 10,
      sessionResultsMax: 10,
      sessionResultsTotalMax: 20,
      overlayFlushBytes: 1e6,
      overlayFlushVersions: 10,
      historyRowsMax: 100,
      compactVersionsMax: 2,
      accessBytesMax: 100_000,
      accessRangesKeptMax: 100,
      defer,
    });
    housekeeping = new Housekeeping({
      tree,
      logOf: () => ({
        base: trimmed.at(-1) ?? (0 as Zxid),
        trim: (through) => {
          if (through > (trimmed.at(-1) ?? 0)) trimmed.push(through);
          return through;
        },
      }),
      config: { limits, timing: defaultTiming },
      nowMs: () => clock.nowMs(),
      warn: (text) => warnings.push(text),
      trimmed: () => undefined,
      handOver: () => handOvers.push(clock.nowMs()),
      flushed: () => undefined,
    });
  });

  it('flushes what is full as soon as it is, and the rest by age; the log is trimmed behind both', () => {
    for (let i = 0; i < 25; i++) put(`key-${i}`);
    pass(5 * flushMs);
    expect(tree.flushedZxid).toBe(20);
    expect(trimmed).toEqual([10, 20]);
    pass(2 * defaultTiming.flushIntervalMs);
    expect(tree.flushedZxid).toBe(25);
    expect(trimmed).toEqual([10, 20, 25]);
  });

  it('trims the log behind a flush that somebody else asked for', () => {
    for (let i = 0; i < 3; i++) put(`key-${i}`);
    let flushed = false;
    tree.flush({
      force: true,
      done: () => {
        flushed = true;
      },
    });
    pass(flushMs + 1);
    expect(flushed).toBe(true);
    expect(trimmed).toEqual([]);
    pass(50);
    expect(trimmed).toEqual([3]);
  });

  it('goes on flushing after a slice of compaction failed with a flush waiting behind it', () => {
    for (let i = 0; i < 12; i++) put('key');
    apply({ type: 'compactTo', revision: tree.revision });
    // The flush by age ends, and the slices of compaction begin.
    while (tree.flushedZxid < zxid) pass(1);
    fault = new StoreError('NO_SPACE', 'the disk is full');
    for (let i = 0; i < 10; i++) put('key');
    pass(flushMs + 1);
    fault = null;
    pass(3 * defaultTiming.flushIntervalMs);
    expect(tree.flushedZxid).toBe(zxid);
    expect(trimmed.at(-1)).toBe(zxid);
    expect(housekeeping.refusal()).toBeNull();
  });

  it('refuses writes while its log is full, hands leadership over again and again, and takes writes once there is room', () => {
    expect(housekeeping.refusal()).toBeNull();
    housekeeping.logPressure(true);
    expect(housekeeping.refusal()?.code).toBe('NO_SPACE');
    pass(25_000);
    expect(handOvers).toEqual([0, 10_000, 20_000]);
    expect(warnings).toHaveLength(1);
    housekeeping.logPressure(false);
    expect(housekeeping.refusal()).toBeNull();
    pass(35_000);
    expect(handOvers).toHaveLength(3);
    expect(trimmed).toEqual([]);
  });

  it('refuses writes while a flush fails, and takes them again when one succeeds', () => {
    fault = new StoreError('NO_SPACE', 'the disk is full');
    put('key');
    pass(2 * defaultTiming.flushIntervalMs);
    expect(housekeeping.refusal()?.code).toBe('NO_SPACE');
    fault = null;
    pass(3 * defaultTiming.flushIntervalMs);
    expect(housekeeping.refusal()).toBeNull();
    expect(tree.flushedZxid).toBe(zxid);
  });

  it('is not full because a snapshot replaced the tree during a flush, nor full for ever when one did before', () => {
    for (let i = 0; i < 10; i++) put('key');
    pass(1);
    tree.replaceStore(disk.open('first'));
    pass(flushMs);
    expect(housekeeping.refusal()).toBeNull();
    zxid = tree.appliedZxid;
    fault = new StoreError('NO_SPACE', 'the disk is full');
    put('key');
    pass(2 * defaultTiming.flushIntervalMs);
    expect(housekeeping.refusal()?.code).toBe('NO_SPACE');
    tree.replaceStore(disk.open('second'));
    pass(2 * defaultTiming.flushIntervalMs);
    expect(housekeeping.refusal()).toBeNull();
  });
});
