import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../shared/random.js';
import { describeEvent, drawSchedule } from './fault-schedule.js';
import { faultKinds } from './run-plan.js';
import { runSimulation } from './simulation.js';

const options = { kinds: faultKinds, fromMs: 500, untilMs: 60_000, everyMs: 100, longChance: 0.1 };

describe('drawSchedule()', () => {
  it('draws every kind, in order, within its time, some of them long', () => {
    const events = drawSchedule(new SeededRandom(1), options);
    expect(new Set(events.map(({ kind }) => kind)).size).toBe(faultKinds.length);
    expect(events.map(({ index }) => index)).toEqual(events.map((_, index) => index));
    expect(events.every(({ atMs }, i) => atMs >= (events[i - 1]?.atMs ?? 500) && atMs < 60_000)).toBe(true);
    const partitions = events.filter(({ kind }) => kind === 'partition').map(({ durationMs }) => durationMs);
    expect(Math.max(...partitions)).toBeGreaterThan(2_000);
    expect(Math.min(...partitions)).toBeLessThan(1_500);
  });

  it('draws the same events up to an earlier end', () => {
    const short = drawSchedule(new SeededRandom(1), { ...options, untilMs: 20_000 });
    const long = drawSchedule(new SeededRandom(1), options);
    expect(long.slice(0, short.length)).toEqual(short);
  });

  it('draws nothing when nothing may strike', () => {
    expect(drawSchedule(new SeededRandom(1), { ...options, kinds: [] })).toEqual([]);
  });
});

describe('a schedule', () => {
  it('can be struck in part: the same events at the same moments, and no others', async () => {
    const struck = (trace: readonly string[]): string[] =>
      trace.filter((line) => line.includes(' fault #')).map((line) => line.trim());
    const run = { seed: 8, nodes: 3, durationMs: 4_000, verbose: true };
    let all: string[] = [];
    while (all.length < 4) {
      run.seed += 1;
      all = struck((await runSimulation(run)).trace);
    }
    const some = await runSimulation({ ...run, faults: { only: [1, 3] } });
    expect(struck(some.trace)).toEqual(all.filter((line) => / #[13] at /.test(line)));
    expect((await runSimulation({ ...run, faults: { only: [] } })).faults.size).toBe(0);
  });

  it('tells an event in a line', () => {
    const event = { index: 3, atMs: 1234.5, kind: 'pause', durationMs: 250, seed: 1 } as const;
    expect(describeEvent(event)).toBe('#3 at 1.234 s: pause, 0.250 s');
    expect(describeEvent({ ...event, kind: 'cutLink', durationMs: 0 })).toBe('#3 at 1.234 s: cutLink');
  });
});
