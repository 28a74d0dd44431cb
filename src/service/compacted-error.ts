// The failure of what wants a revision that is no longer kept, with the revision up to which nothing is.

import { StoreError } from '../shared/errors.js';
import type { Revision } from '../shared/ids.js';

export class CompactedError extends StoreError {
  readonly compactedRevision: Revision;

  constructor(what: string, compactedRevision: Revision) {
    super('COMPACTED', `${what} is no longer kept: compacted up to revision ${compactedRevision}`);
    this.compactedRevision = compactedRevision;
  }
}
