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

  it('jumps forward: timers that were due meanwhile run at once, what the world delivers comes as before', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, { originMs: 100, rate: 2 });
    const seen: string[] = [];
    scheduler.after(200, () => seen.push(`late timer at ${clock.nowMs()}`));
    scheduler.after(50, () => seen.push(`timer at ${clock.nowMs()}`));
    scheduler.deliver(20, () => seen.push(`frame at ${clock.nowMs()}`));
    clock.runUntil(10);
    scheduler.jump(60);
    expect(scheduler.nowMs()).toBe(100 + 10 * 2 + 60);
    clock.runUntil(200);
    expect(seen).toEqual(['timer at 10', 'frame at 20', 'late timer at 70']);
  });

  it('counts time in which a node is suspended twice once', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, { originMs: 0, rate: 1 });
    const fired: number[] = [];
    scheduler.after(10, () => fired.push(clock.nowMs()));
    scheduler.suspend(1000);
    clock.runUntil(500);
    scheduler.suspend(600);
    scheduler.suspend(100);
    clock.runUntil(2000);
    expect(fired).toEqual([1110]);
    expect(scheduler.nowMs()).toBe(900);
  });

  it('stands still with a suspended node, whose clock goes on from the same reading', () => {
    const clock = new VirtualClock();
    const scheduler = new NodeScheduler(clock, 0, noSkew);
    const seen: string[] = [];
    scheduler.after(30, () => seen.push(`timer at ${clock.nowMs()}, reads ${scheduler.nowMs()}`));
    scheduler.deliver(15, () => seen.push(`frame at ${clock.nowMs()}, reads ${scheduler.nowMs()}`));
    clock.runUntil(10);
    scheduler.suspend(1000);
    clock.runUntil(2000);
    expect(seen).toEqual(['frame at 1010, reads 10', 'timer at 1030, reads 30']);
  });
});
