// Revisions that somebody reads at over several turns: versions that they need are not removed meanwhile, however far the
// state is compacted. Who pins says for how long; nothing here ends a pin.

import type { Revision } from '../shared/ids.js';

export interface RevisionPin {
  readonly revision: Revision;
  /** A snapshot took the place of the store, and what is needed is not in it. */
  readonly lost: boolean;
  release(): void;
}

interface Pin extends RevisionPin {
  lost: boolean;
}

export class RevisionPins {
  private readonly pins = new Set<Pin>();
  private readonly released: () => void;

  /** `released`: compaction may go on. */
  constructor(released: () => void) {
    this.released = released;
  }

  /** Compaction must not remove what a read here needs; undefined: it may go as far as it wants. */
  get least(): Revision | undefined {
    let least: Revision | undefined;
    for (const { revision } of this.pins) if (least === undefined || revision < least) least = revision;
    return least;
  }

  /** The revision must be readable now. */
  add(revision: Revision): RevisionPin {
    const pin: Pin = {
      revision,
      lost: false,
      release: () => {
        if (this.pins.delete(pin)) this.released();
      },
    };
    this.pins.add(pin);
    return pin;
  }

  /** Another store took the place of the one before; it has nothing that only reads before `compacted` need. */
  storeReplaced(compacted: Revision): void {
    for (const pin of this.pins) if (pin.revision < compacted) pin.lost = true;
  }
}
