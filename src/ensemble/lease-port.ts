// What the tree is told about leases that it cannot know itself: bounds from the configuration, random ids, and how much
// time a lease has left.

import type { NodeConfig } from '../config/node-config.js';
import { SeededRandom } from '../shared/random.js';
import type { LeasePort } from '../tree/lease-commands.js';

/** Keeps the ids of leases apart from the jitter of elections, which comes from the same seed. */
const seedOffset = 0x1ea5e;

export function leasePortOf(
  config: Pick<NodeConfig, 'limits' | 'timing'>,
  seed: number,
  remainingSeconds: (id: bigint) => number | undefined,
): LeasePort {
  const random = new SeededRandom(seed + seedOffset);
  return {
    ttlSecondsMin: leaseTtlSecondsMin(config.timing.syncLimitMs),
    revokeKeysMax: config.limits.leaseRevokeKeysMax,
    revokeBytesMax: config.limits.leaseRevokeBytesMax,
    // 63 bits: every client takes it for a positive number.
    drawId: () => (BigInt(random.nextUint32() >>> 1) << 32n) | BigInt(random.nextUint32()),
    remainingSeconds,
  };
}

/** The least time to live that is granted, in seconds: a lease outlives the change of a leader. */
export function leaseTtlSecondsMin(syncLimitMs: number): number {
  return Math.ceil((1.5 * syncLimitMs) / 1000);
}
