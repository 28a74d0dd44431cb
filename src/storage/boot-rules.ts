// What manifest, log and tree must agree on before a node may start from them (the order of its durable writes makes sure
// that every crash leaves it so). Pure.

import { epochOf, formatZxid, type Zxid } from '../shared/ids.js';
import type { TreeMeta } from '../tree/store.js';
import type { Manifest } from './manifest.js';

/** Why this node must not start from what it found, null when it may. */
export function disagreement(
  manifest: Manifest,
  log: { readonly base: Zxid; readonly last: Zxid },
  tree: TreeMeta,
): string | null {
  const { acceptedEpoch, currentEpoch } = manifest.record;
  const applied = tree.appliedZxid;
  if (currentEpoch > acceptedEpoch)
    return `current epoch ${currentEpoch} is greater than accepted epoch ${acceptedEpoch}`;
  if (epochOf(log.last) > acceptedEpoch) {
    return `the log ends at zxid ${formatZxid(log.last)}, past the accepted epoch ${acceptedEpoch}`;
  }
  if (log.base < manifest.logBase)
    return `the log begins after ${formatZxid(log.base)}, expected ${formatZxid(manifest.logBase)} or later`;
  if (applied < log.base) {
    return `the log begins after zxid ${formatZxid(log.base)}, but the tree has applied only ${formatZxid(applied)}: entries are missing`;
  }
  if (applied > log.last) {
    return `the tree has applied zxid ${formatZxid(applied)}, but the log ends at ${formatZxid(log.last)}: entries are missing`;
  }
  return null;
}
