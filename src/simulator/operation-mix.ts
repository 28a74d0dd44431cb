// What simulated clients do, and how often: enough of everything that can conflict.

import type { SeededRandom } from '../shared/random.js';
import type { OperationKind } from './client-history.js';

/** Share of each kind of operation, in percent. */
const mix: readonly (readonly [OperationKind | 'localRead', number])[] = [
  ['add', 14],
  ['set', 26],
  ['setIf', 16],
  ['delete', 8],
  ['deleteIf', 5],
  ['read', 19],
  ['localRead', 12],
];

export function pickOperation(random: SeededRandom): OperationKind | 'localRead' {
  let draw = random.below(100);
  for (const [kind, share] of mix) {
    if (draw < share) return kind;
    draw -= share;
  }
  return 'read';
}
