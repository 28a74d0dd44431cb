import { expect, test } from 'vitest';
import { nodeConfigOf } from '../config/node-config.js';
import { VirtualClock } from '../simulator/virtual-clock.js';
import { MemoryTreeDisk } from '../storage/memory-tree-store.js';
import { Tree } from '../tree/tree.js';
import { Housekeeping } from './housekeeping.js';

const address = { electionAddr: '127.0.0.1:1', messageAddr: '127.0.0.1:2' };

test('a node whose disk is full refuses writes, hands leadership over again and again, and takes writes once there is room', () => {
  const clock = new VirtualClock();
  const defer = (task: () => void): void => {
    clock.after(0, task);
  };
  const config = nodeConfigOf({ self: address, peers: [], requestAddr: '127.0.0.1:3' });
  const disk = new MemoryTreeDisk({ scheduler: { defer, after: (delayMs, task) => clock.after(delayMs, task) } });
  const handOvers: number[] = [];
  const warnings: string[] = [];
  const housekeeping = new Housekeeping({
    tree: new Tree(disk.open('tree'), { ...config.limits, defer }),
    logOf: () => {
      throw new Error('nothing is flushed, so nothing is trimmed');
    },
    config,
    nowMs: () => clock.nowMs(),
    warn: (text) => warnings.push(text),
    trimmed: () => undefined,
    handOver: () => handOvers.push(clock.nowMs()),
    flushed: () => undefined,
  });
  expect(housekeeping.refusal()).toBeNull();
  housekeeping.logPressure(true);
  expect(housekeeping.refusal()?.code).toBe('NO_SPACE');
  for (let nowMs = 50; nowMs <= 25_000; nowMs += 50) {
    clock.runUntil(nowMs);
    housekeeping.tick(nowMs);
  }
  expect(handOvers).toEqual([0, 10_000, 20_000]);
  expect(warnings).toHaveLength(1);
  housekeeping.logPressure(false);
  expect(housekeeping.refusal()).toBeNull();
  clock.runUntil(60_000);
  housekeeping.tick(60_000);
  expect(handOvers).toHaveLength(3);
});
