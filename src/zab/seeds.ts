// Seeds (docs/decisions/0012-seeds-stay-with-the-ensemble.md): the snapshot that a node was restored from, or that its
// ensemble was, as a position in epoch 0. Decides who may lead with what and whose data may be replaced; sends nothing.

import { type EnsembleId, epochOf, type Zxid, zxidZero } from '../shared/ids.js';
import type { EpochRecord } from './effects.js';

type Seeded = Pick<EpochRecord, 'seed'>;

/** A log that ends here stands for a restored tree and nothing else. */
export function isSeed(zxid: Zxid): boolean {
  return zxid !== zxidZero && epochOf(zxid) === 0;
}

/** The snapshot from which what a node holds comes. `last`: the end of its log. */
export function seedHeld({ seed }: Seeded, last: Zxid): Zxid {
  return last === zxidZero ? zxidZero : seed;
}

/** It belongs to an ensemble that was restored, and has nothing of that: it must not lead with nothing. */
export function lacksSeed({ seed }: Seeded, last: Zxid): boolean {
  return seed !== zxidZero && last === zxidZero;
}

/** Restored data that a leader which holds `held` would throw away. */
export function holdsOther(peer: Seeded & { readonly lastZxid: Zxid }, held: Zxid): boolean {
  const theirs = seedHeld(peer, peer.lastZxid);
  return theirs !== zxidZero && theirs !== held;
}

/** Why a node with restored data does not go into an ensemble whose data comes from elsewhere; undefined: it may. */
export function seedObstacle(held: Zxid, ensembleId: EnsembleId, founded: Zxid): string | undefined {
  if (held === zxidZero || held === founded) return undefined;
  const origin = founded === zxidZero ? 'does not come from a snapshot' : 'comes from another snapshot';
  return (
    `Cannot join ensemble ${ensembleId}: its data ${origin}, this node was restored from one. Nothing was changed here. ` +
    'To keep the snapshot, stop all members, empty their data directories and run "zabtree snapshot restore" for each; ' +
    "to keep the ensemble, empty this node's data directory"
  );
}

/** What is wrong with the seed that a peer names; `last`: the end of its log. */
export function seedDefect({ seed }: Seeded, last: Zxid): string | undefined {
  if (epochOf(seed) !== 0) return 'its seed is not of epoch 0';
  return last !== zxidZero && seed > last ? 'its log ends before its seed' : undefined;
}
