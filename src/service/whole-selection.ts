// What is wanted of a selection of keys unless something else is said: all records, the newest, whole, in the order of keys.

import type { KeySelection, RangeSelection } from '../tree/transaction.js';

export const wholeSelection: Omit<RangeSelection, keyof KeySelection> = {
  at: undefined,
  limit: 0,
  sortTarget: 'key',
  descending: false,
  keysOnly: false,
  countOnly: false,
  minModRevision: undefined,
  maxModRevision: undefined,
  minCreateRevision: undefined,
  maxCreateRevision: undefined,
};
