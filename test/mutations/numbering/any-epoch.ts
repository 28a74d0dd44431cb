// Proposals numbered in whatever epoch: what mutations about numbering put in the place of the check against it.

import type { Epoch, Zxid } from '../../../src/shared/ids.js';
import { type Replacement, replace } from '../mutation.js';

export function proposedInAnyEpoch(epochOf: (zxid: Zxid) => Epoch): Replacement {
  return replace<typeof import('../../../src/zab/broadcast.js')>('zab/broadcast', ({ proposeBatch }) => ({
    proposeBatch: (state, leading, batch, out) => {
      const { epoch } = leading;
      leading.epoch = epochOf(batch.first);
      proposeBatch(state, leading, batch, out);
      leading.epoch = epoch;
    },
  }));
}
