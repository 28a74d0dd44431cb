// At boot: reads what the log holds beyond the tree, batch by batch. It is logged, not known committed; whoever gets it
// keeps it until a leader's word covers it.

import { formatZxid, type Zxid } from '../shared/ids.js';
import type { Batch } from '../zab/messages.js';
import type { CommitLog } from './ports.js';

/** Bytes read at a time. */
const readBytes = 4 * 2 ** 20;

export function loadLogTail(
  log: CommitLog,
  after: Zxid,
  loaded: (batch: Batch) => void,
  done: (error: Error | null) => void,
): void {
  if (after >= log.last) {
    done(null);
    return;
  }
  log.read(after, readBytes, (error, batches) => {
    const last = batches.at(-1)?.last;
    if (error !== null || last === undefined) {
      done(
        error ??
          new Error(`Cannot read the log after ${formatZxid(after)}: it ends there, expected ${formatZxid(log.last)}`),
      );
      return;
    }
    for (const batch of batches) loaded(batch);
    loadLogTail(log, last, loaded, done);
  });
}
