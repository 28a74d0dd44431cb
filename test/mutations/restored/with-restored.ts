// Runs in which the ensemble begins with a snapshot that some of its members were restored from.

import type { RunPlan } from '../../../src/simulator/run-plan.js';

/** Those that the seed draws, if it does, and one otherwise. Bad news travels: blank members meet before they hear of it. */
export function withRestored(plan: RunPlan): RunPlan {
  const { network } = plan;
  return {
    ...plan,
    restored: plan.restored.length > 0 ? plan.restored : [0],
    network: { ...network, lossChance: Math.max(network.lossChance, 0.2) },
  };
}
