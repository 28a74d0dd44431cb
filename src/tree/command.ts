// Requests that change the tree, protocol-neutral, and their results. Only the leader executes a command; everyone
// else sees the delta that came of it.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';

export type Command =
  /** Creates; KEY_EXISTS when the key is there. */
  | { readonly type: 'add'; readonly key: Bytes; readonly value: Bytes }
  /** Creates or overwrites. With expectedRevision: only if the key's mod revision is that (0: only if it is absent). */
  | { readonly type: 'set'; readonly key: Bytes; readonly value: Bytes; readonly expectedRevision?: Revision }
  /** KEY_NOT_FOUND when it is not there. With expectedRevision: only if the key's mod revision is that. */
  | { readonly type: 'delete'; readonly key: Bytes; readonly expectedRevision?: Revision }
  | { readonly type: 'compact'; readonly revision: Revision }
  | { readonly type: 'checkpoint' };

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

export interface CommandEnvelope {
  readonly command: Command;
  readonly identity?: RequestIdentity;
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
}
