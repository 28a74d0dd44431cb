// What a committed entry does to the tree: operations that any node applies the same way, knowing nothing of the
// request that caused them. This is all that the log and the wire ever speak of.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';

/** Spaces of the tree. The numbers are on disk and on the wire: never renumber. */
export const spaces = {
  /** The one key space that users see. The only one whose changes take a revision. */
  user: 1,
  /** Replicated facts about the ensemble itself. */
  system: 2,
  /** Never replicated: belongs to one node, kept through a snapshot. */
  local: 3,
  /** Lease id → what was granted and what remained at the last checkpoint. */
  leases: 4,
  /** Lease id and user key → nothing: the keys that a lease holds. */
  leaseKeys: 5,
  /** Users, roles, permissions, and whether they count. */
  access: 6,
  /** Alarms that were raised and not yet disarmed. */
  alarms: 7,
} as const;

export type SpaceId = (typeof spaces)[keyof typeof spaces];

/** Length of an array with a place for every space. */
export const spaceSlots = Math.max(...Object.values(spaces)) + 1;

export type Operation =
  | {
      readonly type: 'put';
      readonly space: SpaceId;
      readonly key: Bytes;
      readonly value: Bytes;
      /** Revision at which the key came to be. */
      readonly createRevision: Revision;
      /** Count of puts since creation, from 1. */
      readonly version: number;
      /** Lease id or 0n. */
      readonly lease: bigint;
    }
  | { readonly type: 'delete'; readonly space: SpaceId; readonly key: Bytes }
  | { readonly type: 'deleteRange'; readonly space: SpaceId; readonly from: Bytes; readonly to: Bytes }
  /** Versions that a read at `revision` or later does not need may go. */
  | { readonly type: 'compactTo'; readonly revision: Revision }
  /**
   * Remembers the result of a client's request for exactly-once: this code at the entry's revision. With a code other
   * than OK it is the entry's only operation. Results of this client below `acknowledgedBelow` are forgotten.
   */
  | {
      readonly type: 'remember';
      readonly client: ClientId;
      readonly request: number;
      readonly acknowledgedBelow: number;
      readonly code: 'OK' | ErrorCode;
    }
  /** Every node flushes exactly here and hashes its tree. */
  | { readonly type: 'checkpoint' };

/** One entry of a batch: the delta of one command. Its zxid is the batch's first plus its index. */
export interface Entry {
  readonly zxid: Zxid;
  /** Mod revision of the user keys that it changes: the previous revision + 1; or, changing none, the revision as it stands. */
  readonly revision: Revision;
  readonly operations: readonly Operation[];
}
