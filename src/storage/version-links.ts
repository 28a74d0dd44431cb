// How the versions of one key hang together: each links to the one before it and jumps over a run of older ones, so that
// the version of any older revision is found in logarithmically many steps (a skew-binary list, E. W. Myers 1983).

import type { Revision } from '../shared/ids.js';

/** No version: revisions begin above it. */
export const noRevision = 0 as Revision;

/** Where the newest version of a key stands. */
export interface Chain {
  /** Versions that were ever linked, from 1. Decides which jump comes next. */
  readonly length: number;
  /** Revisions that jumps lead to one after the other, newest first: the newest version, its jump, the jump of that… */
  readonly roots: readonly Revision[];
}

/** The links of one version. */
export interface Links {
  readonly previous: Revision;
  /** At or before `previous`. */
  readonly jump: Revision;
}

export const emptyChain: Chain = { length: 0, roots: [] };

/** Adds a version; gives its links and the chain with it. */
export function extendChain(chain: Chain, revision: Revision): { readonly chain: Chain; readonly links: Links } {
  const { length, roots } = chain;
  const previous = roots[0] ?? noRevision;
  // The two newest trees of equal size become one under the new version.
  const older = firstTreesAreEqual(length) ? roots.slice(2) : roots;
  return {
    chain: { length: length + 1, roots: [revision, ...older] },
    links: { previous, jump: older[0] ?? noRevision },
  };
}

/** Whether the smallest two trees of a list of this length have the same size: its sizes are of the form 2^k - 1. */
function firstTreesAreEqual(length: number): boolean {
  let rest = length;
  let size = 1;
  while (size * 2 + 1 <= rest) size = size * 2 + 1;
  let last = 0;
  let smallest = 0;
  while (rest > 0) {
    while (size > rest) size = (size - 1) / 2;
    last = smallest;
    smallest = size;
    rest -= size;
  }
  return last === smallest && smallest > 0;
}
