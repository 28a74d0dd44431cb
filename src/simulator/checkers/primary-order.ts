// A leader's proposals reach each follower in the order in which they were made, without a gap, and the first one of an
// epoch comes after the leader has applied everything of earlier epochs that it begins with.

import { counterOf, epochOf, formatZxid, type Zxid, zxidOf } from '../../shared/ids.js';
import type { PeerMessage } from '../../zab/messages.js';
import type { EnsembleChecker, EnsembleView, NodeView } from './ensemble-view.js';

/** `next` may come directly after `last`: the next counter, or the first one of a later epoch. */
export function follows(next: Zxid, last: Zxid): boolean {
  if (next === last + 1) return counterOf(next) > 0;
  return epochOf(next) > epochOf(last) && counterOf(next) === 1;
}

export class PrimaryOrder implements EnsembleChecker {
  private readonly view: EnsembleView;
  /** End of what was sent on each link; absent where anything may come next. */
  private readonly ends = new Map<string, Zxid>();

  constructor(view: EnsembleView) {
    this.view = view;
  }

  booted(node: NodeView): void {
    for (const name of this.ends.keys()) if (name.startsWith(`${node.index}:`)) this.ends.delete(name);
  }

  sent(from: NodeView, _to: NodeView, link: number, message: PeerMessage): void {
    if (message.type === 'truncate') this.ends.set(`${from.index}:${link}`, message.to);
    else if (message.type === 'snapshot') this.ends.delete(`${from.index}:${link}`);
    else if (message.type === 'proposal') this.proposed(from, link, message.batch.first, message.batch.last);
  }

  private proposed(from: NodeView, link: number, first: Zxid, last: Zxid): void {
    const name = `${from.index}:${link}`;
    const end = this.ends.get(name);
    if (end !== undefined && !follows(first, end)) {
      this.view.violate(
        'proposals follow each other',
        `node ${from.index} proposes ${formatZxid(first)}..${formatZxid(last)} after ${formatZxid(end)} on one connection`,
      );
    }
    this.ends.set(name, last);
    // What a leader sends of earlier epochs synchronizes its followers.
    if (epochOf(first) === from.record.currentEpoch && from.role === 'leading') this.hasAppliedEarlier(from, first);
  }

  private hasAppliedEarlier(from: NodeView, first: Zxid): void {
    const due = from.log.lastAtOrBelow(zxidOf(epochOf(first), 0));
    const applied = from.tree?.appliedZxid;
    if (applied === undefined || applied >= due) return;
    this.view.violate(
      'a leader applies what was before its first proposal',
      `node ${from.index} proposes ${formatZxid(first)} and has applied ${formatZxid(applied)} of ${formatZxid(due)}`,
    );
  }
}
