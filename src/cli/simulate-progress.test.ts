import { expect, it } from 'vitest';
import { SimulateProgress } from './simulate-progress.js';

function progress(isTTY: boolean): { told: string[]; at: (nowMs: number) => void; progress: SimulateProgress } {
  const told: string[] = [];
  let now = 0;
  return {
    told,
    at: (nowMs) => {
      now = nowMs;
    },
    progress: new SimulateProgress({
      stream: { isTTY, write: (text: string) => told.push(text) },
      runs: 9,
      nowMs: () => now,
      cpuSeconds: () => now / 1000,
    }),
  };
}

it('tells a line after a second and then every ten where there is no terminal', () => {
  const { told, at, progress: line } = progress(false);
  at(999);
  line.ran(60_000, false);
  expect(told.splice(0)).toEqual([]);
  at(1_000);
  line.ran(60_000, true);
  expect(told.splice(0)).toEqual(['2/9 runs, 1 failed, 0.03 simulated hours, 120 an hour of CPU\n']);
  at(10_999);
  line.ran(60_000, false);
  expect(told.splice(0)).toEqual([]);
  at(11_000);
  line.ran(60_000, false);
  line.ran(60_000, false);
  line.clear();
  expect(told).toEqual(['4/9 runs, 1 failed, 0.07 simulated hours, 22 an hour of CPU\n']);
});

it('redraws one line of a terminal, and takes it away', () => {
  const { told, at, progress: line } = progress(true);
  line.clear();
  for (const nowMs of [250, 300, 500]) {
    at(nowMs);
    line.ran(1_000, false);
  }
  line.clear();
  expect(told.map((text) => text.replaceAll('\r\u001b[K', '<'))).toEqual([
    '<1/9 runs, 0 failed, 0.00 simulated hours, 4 an hour of CPU',
    '<3/9 runs, 0 failed, 0.00 simulated hours, 6 an hour of CPU',
    '<',
  ]);
});
