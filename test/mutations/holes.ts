// Logs that take a batch wherever it stands: what mutations about holes put in the place of the checks against them.

import { epochOf } from '../../src/shared/ids.js';
import { type Replacement, replace } from './mutation.js';

export const holesTolerated: readonly Replacement[] = [
  replace<typeof import('../../src/zab/history.js')>('zab/history', () => ({
    appendBatch: (history, batch) => {
      const end = { epoch: epochOf(batch.last), last: batch.last };
      if (history.ends.at(-1)?.epoch === end.epoch) history.ends[history.ends.length - 1] = end;
      else history.ends.push(end);
      history.last = batch.last;
    },
  })),
  replace<typeof import('../../src/storage/epoch-ends.js')>('storage/epoch-ends', () => ({
    gapBefore: () => null,
  })),
];
