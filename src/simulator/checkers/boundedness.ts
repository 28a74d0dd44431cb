// What a node at rest may still hold: its log no more than it is told to retain, and nothing in memory that belongs into
// the tree. Judged once everything has been applied and flushed.

import type { Limits } from '../../config/limits.js';
import { formatZxid } from '../../shared/ids.js';
import type { NodeView } from './ensemble-view.js';

type LogLimits = Pick<Limits, 'logRetainBytesMax' | 'logSegmentBytes'>;

/** Why the node holds more than it should; undefined when it does not. */
export function excess(node: NodeView, limits: LogLimits): string | undefined {
  const { tree, log } = node;
  if (tree === undefined) return undefined;
  if (tree.flushedZxid < tree.appliedZxid)
    return `has flushed ${formatZxid(tree.flushedZxid)} of ${formatZxid(tree.appliedZxid)}`;
  if (tree.overlayBytes > 0) return `has flushed everything and keeps ${tree.overlayBytes} bytes in memory`;
  let bytes = 0;
  let largest = limits.logSegmentBytes;
  for (const { batch } of log.between(log.base, log.last)) {
    bytes += batch.body.length;
    largest = Math.max(largest, batch.body.length);
  }
  // The log is trimmed by whole segments, and a segment holds at least one record.
  const most = limits.logRetainBytesMax + 2 * largest;
  return bytes > most ? `keeps ${bytes} bytes of log, at most ${most} are due` : undefined;
}
