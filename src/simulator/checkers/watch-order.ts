// A watch is told of every committed change of its range exactly once, in order, across nodes and reconnects.

import { compareBytes } from '../../shared/bytes.js';
import type { WatchRequest } from '../../tree/replicated-tree.js';
import { bytesOf, keyText } from '../byte-text.js';
import type { ModelChange } from '../ledger.js';
import type { CollectedStretch, SimulatedWatcher } from '../simulated-watcher.js';
import type { EnsembleView } from './ensemble-view.js';

export function checkWatch(view: EnsembleView, watcher: SimulatedWatcher): void {
  const { stretches, request } = watcher;
  for (const [index, stretch] of stretches.entries()) {
    const last = index === stretches.length - 1;
    const end = last ? watcher.position : (stretch.events.at(-1)?.revision ?? stretch.from - 1) + 1;
    const expected = view.ledger.changes.filter(
      (change) => change.revision >= stretch.from && change.revision < end && covers(request, change),
    );
    const difference = compare(stretch, expected);
    if (difference !== undefined) view.violate('watches lose, repeat and reorder nothing', difference);
  }
}

/** Nothing that it should be told of is still to come. */
export function isCaughtUp(view: EnsembleView, watcher: SimulatedWatcher): boolean {
  const { changes } = view.ledger;
  for (let i = changes.length - 1; i >= 0; i--) {
    const change = changes[i] as ModelChange;
    if (change.revision < watcher.position) return true;
    if (covers(watcher.request, change)) return false;
  }
  return true;
}

function covers(request: WatchRequest, change: ModelChange): boolean {
  const key = bytesOf(change.key);
  const order = compareBytes(key, request.from);
  if (request.single) return order === 0;
  return order >= 0 && (request.to === undefined || compareBytes(key, request.to) < 0);
}

function compare(stretch: CollectedStretch, expected: readonly ModelChange[]): string | undefined {
  const length = Math.max(stretch.events.length, expected.length);
  for (let i = 0; i < length; i++) {
    const event = stretch.events[i];
    const change = expected[i];
    const same =
      event !== undefined &&
      change !== undefined &&
      event.revision === change.revision &&
      keyText(event.key) === change.key &&
      event.deleted === (change.version.value === undefined);
    if (!same)
      return `event ${i + 1} from revision ${stretch.from}: told ${event?.revision}, committed ${change?.revision}`;
  }
  return undefined;
}
