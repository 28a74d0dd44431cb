import { describe, expect, it } from 'vitest';
import { SyncGauge } from './sync-gauge.js';

function gaugeAfter(waitsMs: readonly number[]): SyncGauge {
  const gauge = new SyncGauge();
  for (const waitMs of waitsMs) gauge.record(waitMs);
  return gauge;
}

const fast = Array.from({ length: 32 }, () => 0.1);

describe('SyncGauge', () => {
  it('trusts no disk before it has seen enough of it', () => {
    expect(gaugeAfter([]).fast).toBe(false);
    expect(gaugeAfter(fast.slice(1)).fast).toBe(false);
    expect(gaugeAfter(fast).fast).toBe(true);
  });

  it('goes by the median, and lets one long wait count until it is forgotten', () => {
    expect(gaugeAfter([...fast, ...fast.slice(17).map(() => 1)]).fast).toBe(true);
    expect(gaugeAfter([...fast, ...fast.slice(15).map(() => 1)]).fast).toBe(false);
    expect(gaugeAfter([...fast, 50]).fast).toBe(false);
    expect(gaugeAfter([50, ...fast.slice(1)]).fast).toBe(false);
    expect(gaugeAfter([...fast, 50, ...fast]).fast).toBe(true);
  });
});
