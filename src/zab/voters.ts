// Whose word counts (zab.md, Forming an ensemble, and blank disks): voters of an ensemble, and nodes that may still form
// one. Knows no role and no link.

import type { EnsembleId } from '../shared/ids.js';
import type { EpochRecord } from './effects.js';

/** A node is a voter of its ensemble if it has an id and has not lost its disk since it last was one. */
export function isVoter(record: Pick<EpochRecord, 'ensembleId' | 'probation'>): boolean {
  return record.ensembleId !== null && !record.probation;
}

/** A voter of this very ensemble; null: of none, and nobody is that. */
export function isVoterOf(
  record: Pick<EpochRecord, 'ensembleId' | 'probation'>,
  ensembleId: EnsembleId | null,
): boolean {
  return isVoter(record) && record.ensembleId === ensembleId;
}

/** Nothing that this node ever did can have committed anything: it may take part in forming a new ensemble. */
export function mayForm(record: Pick<EpochRecord, 'currentEpoch'>): boolean {
  return record.currentEpoch === 0;
}
