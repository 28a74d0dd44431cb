// Transactions over the user's keys as data: conditions, and what is done when all of them hold or not. Protocol-neutral;
// what executes them is in execute-transaction.ts. Never holds a result longer than the request that asked for it.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { KeyRecord } from './store.js';

/** Which user keys: exactly `from`, or from `from` (inclusive) to `to` (exclusive; undefined = to the last key). */
export interface KeySelection {
  readonly from: Bytes;
  readonly to: Bytes | undefined;
  readonly single: boolean;
}

export type SortTarget = 'key' | 'version' | 'create' | 'mod' | 'value';

/** What of a selection is wanted, and in which order. Filters by revision are inclusive; undefined = none. */
export interface RangeSelection extends KeySelection {
  /** The state that was current at this revision; undefined = the newest. */
  readonly at: Revision | undefined;
  /** Most records returned; 0 = all. */
  readonly limit: number;
  readonly sortTarget: SortTarget;
  readonly descending: boolean;
  readonly keysOnly: boolean;
  /** No records at all. */
  readonly countOnly: boolean;
  readonly minModRevision: Revision | undefined;
  readonly maxModRevision: Revision | undefined;
  readonly minCreateRevision: Revision | undefined;
  readonly maxCreateRevision: Revision | undefined;
}

export interface RangeOutcome {
  readonly type: 'range';
  readonly records: readonly KeyRecord[];
  /** Keys of the selection, whatever limit and filters say. */
  readonly count: number;
  /** `limit` left some of the filtered records out. */
  readonly more: boolean;
}

export type CompareRelation = 'equal' | 'notEqual' | 'greater' | 'less';

/**
 * A condition on every key of a selection, judged on the state before the transaction. Where there is no key at all, one of
 * zeros is compared, and a condition on its value does not hold.
 */
export type Compare = { readonly keys: KeySelection; readonly relation: CompareRelation } & (
  | { readonly target: 'version' | 'create' | 'mod'; readonly operand: number }
  | { readonly target: 'lease'; readonly operand: bigint }
  | { readonly target: 'value'; readonly operand: Bytes }
);

export type TransactionOperation =
  | {
      readonly type: 'put';
      readonly key: Bytes;
      readonly value: Bytes;
      /** 0n = none: a lease that the key had is detached. */
      readonly lease: bigint;
      /** Keeps the value or the lease that the key has; KEY_NOT_FOUND when there is no such key. */
      readonly ignoreValue: boolean;
      readonly ignoreLease: boolean;
      /** Wants the record that it replaced. */
      readonly wantsPrevious: boolean;
    }
  | { readonly type: 'delete'; readonly keys: KeySelection; readonly wantsPrevious: boolean }
  | { readonly type: 'range'; readonly selection: RangeSelection }
  | { readonly type: 'transaction'; readonly transaction: Transaction };

export interface Transaction {
  readonly compares: readonly Compare[];
  /** In order, each seeing what those before it did. */
  readonly success: readonly TransactionOperation[];
  readonly failure: readonly TransactionOperation[];
}

export type OperationOutcome =
  | { readonly type: 'put'; readonly previous: KeyRecord | undefined }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous: readonly KeyRecord[] }
  | RangeOutcome
  | TransactionOutcome;

export interface TransactionOutcome {
  readonly type: 'transaction';
  /** All conditions held. */
  readonly succeeded: boolean;
  /** One for each operation of the arm that was taken. */
  readonly outcomes: readonly OperationOutcome[];
}
