// The schedule: the seed decides it, nothing lasts past the end, and every kind of fault comes up.

import { expect, test } from 'vitest';
import { drawPlan, faultKinds } from './fault-plan.js';

const tenMinutes = { nodes: 5, durationMs: 600_000, only: undefined };

test('drawPlan() draws the same schedule from the same seed and another from another', () => {
  expect(drawPlan({ ...tenMinutes, seed: 1 })).toEqual(drawPlan({ ...tenMinutes, seed: 1 }));
  expect(drawPlan({ ...tenMinutes, seed: 1 })).not.toEqual(drawPlan({ ...tenMinutes, seed: 2 }));
});

test('drawPlan() has every kind of fault in ten minutes, in order and within the time', () => {
  const steps = drawPlan({ ...tenMinutes, seed: 3 });
  expect([...new Set(steps.map(({ kind }) => kind))].sort()).toEqual([...faultKinds].sort());
  for (const [index, { atMs, durationMs }] of steps.entries()) {
    expect(atMs + durationMs).toBeLessThanOrEqual(tenMinutes.durationMs);
    expect(atMs).toBeGreaterThanOrEqual(steps[index - 1]?.atMs ?? 0);
  }
});

test('drawPlan() keeps to the kinds that it is given', () => {
  const steps = drawPlan({ ...tenMinutes, seed: 4, only: ['pause'] });
  expect([...new Set(steps.map(({ kind }) => kind))]).toEqual(['pause']);
});
