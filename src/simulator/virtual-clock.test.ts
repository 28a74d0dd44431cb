import { describe, expect, it } from 'vitest';
import { NodeScheduler, VirtualClock } from './virtual-clock.js';

const noSkew = { originMs: 0, rate: 1 };

describe('VirtualClock', () => {
  it('runs tasks by time, then in the order in which they were asked for', () => {
    const clock = new VirtualClock();
    const seen: string[] = [];
    clock.after(5, () => seen.push('b'));
    clock.after(1, () => seen.push('a'));
    clock.after(5, () => seen.push('c'));
    clock.after(9, () => seen.push('late'));
    clock.runUntil(8);
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(clock.nowMs()).toBe(8);
  });

  it('keeps its order with thousands of tasks', () => {
    const clock = new VirtualClock();
    const seen: number[] = [];
    for (let i = 0; i < 5000; i++) {
      const atMs = (i * 7919) % 1013;
      clock.at(atMs, null, () => seen.push(atMs));
    }
    clock.runUntil(2000);
    expect(seen).toHaveLength(5000);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('drops the tasks of a killed node and cancelled ones', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, noSkew);
    const seen: string[] = [];
    scheduler.after(1, () => seen.push('first'));
    scheduler.after(3, () => seen.push('dead'));
    const cancel = scheduler.after(2, () => seen.push('cancelled'));
    cancel();
    clock.runUntil(1);
    scheduler.kill();
    clock.runUntil(10);
    expect(seen).toEqual(['first']);
  });

  it('puts off the tasks of a paused node, in their order', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, noSkew);
    const seen: string[] = [];
    scheduler.after(1, () => seen.push(`a at ${scheduler.nowMs()}`));
    scheduler.after(2, () => seen.push(`b at ${scheduler.nowMs()}`));
    scheduler.pause(50);
    clock.runUntil(100);
    expect(seen).toEqual(['a at 50', 'b at 50']);
  });

  it('defers behind everything that is already due in this turn', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, noSkew);
    const seen: string[] = [];
    scheduler.after(1, () => {
      scheduler.defer(() => seen.push('deferred'));
      seen.push('first');
    });
    scheduler.after(1, () => seen.push('second'));
    clock.runUntil(1);
    expect(seen).toEqual(['first', 'second', 'deferred']);
  });

  it('repeats until stopped, on the node clock', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, { originMs: 1000, rate: 2 });
    const seen: number[] = [];
    const stop = scheduler.every(10, () => seen.push(scheduler.nowMs()));
    clock.runUntil(16);
    stop();
    clock.runUntil(100);
    expect(seen).toEqual([1010, 1020, 1030]);
  });
});
