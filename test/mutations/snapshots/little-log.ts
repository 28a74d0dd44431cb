// Runs in which whoever was away is filled by a snapshot.

import type { RunPlan } from '../../../src/simulator/run-plan.js';

/** Little log is kept, so that it seldom reaches back far enough. */
export function littleLog(plan: RunPlan): RunPlan {
  return { ...plan, limits: { ...plan.limits, logRetainBytesMax: 0, logSegmentBytes: 300 } };
}
