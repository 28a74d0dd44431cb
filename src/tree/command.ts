// Requests that change the tree, protocol-neutral, and their results. Only the leader executes a command; everyone
// else sees the delta that came of it.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { AccessChange } from './access/access-change.js';
import type { Alarm } from './alarm.js';
import type { Transaction, TransactionOutcome } from './transaction.js';

export type Command =
  /** Creates; KEY_EXISTS when the key is there. Without a lease none holds it. */
  | { readonly type: 'add'; readonly key: Bytes; readonly value: Bytes; readonly lease?: bigint }
  /**
   * Creates or overwrites. With expectedRevision: only if the key's mod revision is that (0: only if it is absent). Without
   * a lease none holds it: one that has held the key does so no more.
   */
  | {
      readonly type: 'set';
      readonly key: Bytes;
      readonly value: Bytes;
      readonly expectedRevision?: Revision;
      readonly lease?: bigint;
    }
  /** KEY_NOT_FOUND when it is not there. With expectedRevision: only if the key's mod revision is that. */
  | { readonly type: 'delete'; readonly key: Bytes; readonly expectedRevision?: Revision }
  | { readonly type: 'compact'; readonly revision: Revision }
  | { readonly type: 'transact'; readonly transaction: Transaction }
  /** id 0n: the leader draws one. The time to live in seconds; what is below the least is raised to it. */
  | { readonly type: 'leaseGrant'; readonly id: bigint; readonly ttlSeconds: number }
  /** Deletes its keys too, all at one revision. */
  | { readonly type: 'leaseRevoke'; readonly id: bigint }
  | { readonly type: 'leaseKeepAlive'; readonly id: bigint }
  | { readonly type: 'leaseTimeToLive'; readonly id: bigint; readonly wantsKeys: boolean }
  /** The leader's own: how long these leases still have, for the next leader. */
  | {
      readonly type: 'leaseCheckpoint';
      readonly leases: readonly { readonly id: bigint; readonly remainingSeconds: number }[];
    }
  /** Raises an alarm, or disarms it: KEY_NOT_FOUND when it is not raised. */
  | { readonly type: 'alarm'; readonly active: boolean; readonly alarm: Alarm }
  | { readonly type: 'checkpoint' }
  /** A change of users, roles and permissions, or of whether they count. */
  | { readonly type: 'access'; readonly change: AccessChange };

/** What a command answers beside its result, when it succeeded. */
export type CommandOutput =
  | TransactionOutcome
  | { readonly type: 'leaseGrant'; readonly id: bigint; readonly ttlSeconds: number }
  /** ttlSeconds 0: there is no such lease. */
  | { readonly type: 'leaseKeepAlive'; readonly id: bigint; readonly ttlSeconds: number }
  /** ttlSeconds is what remains; -1: there is no such lease. `keys` in order, empty unless they were wanted. */
  | {
      readonly type: 'leaseTimeToLive';
      readonly id: bigint;
      readonly ttlSeconds: number;
      readonly grantedSeconds: number;
      readonly keys: readonly Bytes[];
    };

/** Who asks, for exactly-once. Commands without it (e.g. checkpoint) are executed as often as they arrive. */
export interface RequestIdentity {
  readonly client: ClientId;
  /** From 1, each number used for one request only. */
  readonly request: number;
  /** Every request of this client below this number has been answered and will not be repeated. */
  readonly acknowledgedBelow: number;
  /**
   * A zxid applied by the node that the client first spoke to, at that time. A session that is unknown and could have
   * been evicted since then is refused with OUTCOME_UNKNOWN instead of being executed.
   */
  readonly bornAt: Zxid;
  /**
   * An earlier attempt of this request may still be on its way. A failure is then remembered like a success, so that the
   * earlier one, when it arrives late, is told the same instead of being executed after all.
   */
  readonly repeated: boolean;
}

/** The user that a request is made for, and the state of users and permissions that this was found in. */
export interface Actor {
  /** Empty: the client has not said who it is, which is enough while access control is off. */
  readonly user: string;
  /** A change since then fails the request with ACCESS_CHANGED. */
  readonly accessRevision: number;
}

export interface CommandEnvelope {
  readonly command: Command;
  readonly identity?: RequestIdentity;
  /** Absent: the ensemble's own request, which needs no permission. What comes from a client always has one. */
  readonly actor?: Actor;
}

/** Result of a command. code 'OK' or the closed code of its failure. */
export interface CommandResult {
  readonly code: 'OK' | ErrorCode;
  /** For people; empty when OK. */
  readonly message: string;
  /** OK with an effect: the mod revision. Otherwise the revision of the state that it was judged by. */
  readonly revision: Revision;
  /** The answer may be given by a node once it has applied this. */
  readonly zxid: Zxid;
  /** Of commands that answer more than that they succeeded; absent in the answer to a repeated request. */
  readonly output?: CommandOutput;
}
