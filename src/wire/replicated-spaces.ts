// Which spaces of the tree leave a node: in entries, images and digests. A total map, so that a new space has to say.

import type { SpaceId } from '../tree/delta.js';

const replicated: Readonly<Record<SpaceId, boolean>> = {
  1: true,
  2: true,
  3: false,
  4: true,
  5: true,
  6: true,
  7: true,
};

const userSpace: SpaceId = 1;

/** In order. */
export const replicatedSpaces: readonly SpaceId[] = Object.keys(replicated)
  .map((space) => Number(space) as SpaceId)
  .filter((space) => replicated[space]);

/** The replicated ones whose keys have no past. */
export const otherSpaces: readonly SpaceId[] = replicatedSpaces.filter((space) => space !== userSpace);

/** The number as a space, undefined when there is none of this number that is replicated. */
export function replicatedSpace(space: number): SpaceId | undefined {
  return replicated[space as SpaceId] === true ? (space as SpaceId) : undefined;
}
