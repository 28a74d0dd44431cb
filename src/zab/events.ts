// Everything that can happen to the Zab core. The driver (src/ensemble) makes these from sockets, disk and clock;
// the simulator makes them from its own. The core learns of the world in no other way.

import type { EnsembleId, Epoch, ServerId, Zxid } from '../shared/ids.js';
import type { Batch, ElectionMessage, PeerMessage } from './messages.js';

export type ZabEvent =
  /** Time passed. `nowMs` is monotonic, never decreasing, with any origin. Sent every `tickMs` or so. */
  | { readonly type: 'tick'; readonly nowMs: number }
  /** An election datagram, already authenticated, fresh and from a member. */
  | { readonly type: 'datagram'; readonly from: ServerId; readonly message: ElectionMessage }
  /**
   * A quorum connection with this peer is open and its handshake (group, version, membership) agreed. `link` names this
   * very connection and is never reused. Both sides get the event: the follower for the connection it asked for with
   * the effect `connect` (outgoing), the leader for the one it accepted (not outgoing).
   */
  | { readonly type: 'connected'; readonly peer: ServerId; readonly link: number; readonly outgoing: boolean }
  /** That connection is gone (closed, reset, refused, or its outgoing queue passed its bound). `link` 0: never opened. */
  | { readonly type: 'disconnected'; readonly peer: ServerId; readonly link: number }
  | { readonly type: 'message'; readonly peer: ServerId; readonly link: number; readonly message: PeerMessage }
  /** The leader's driver has executed commands into this batch. Only while leading and established; consecutive zxids. */
  | { readonly type: 'propose'; readonly batch: Batch }
  /** Every entry up to `through` is on disk in this node's own log. */
  | { readonly type: 'logDurable'; readonly through: Zxid }
  /** An effect `persist` is durable. They complete in order. */
  | { readonly type: 'persisted' }
  /** An effect `truncateLog` is durable. */
  | { readonly type: 'truncated'; readonly to: Zxid }
  /**
   * An effect `receiveSnapshot` is complete: tree, log base and ensemble id were switched in one manifest write.
   * The tree has applied `zxid`; the log is empty after it. `epoch` and `ensembleId` are those of the sending leader.
   */
  | { readonly type: 'snapshotInstalled'; readonly link: number; readonly zxid: Zxid; readonly ensembleId: EnsembleId }
  /**
   * An effect `receiveSnapshot` was given up and the disk is as it was: its transfer failed, or the quorum link went away
   * (event `disconnected` or effect `disconnect`) before the switch began. Every receiveSnapshot is answered exactly once,
   * by snapshotInstalled or by this, also after its link is gone: the core writes nothing and sends no ballot before.
   */
  | { readonly type: 'snapshotAbandoned'; readonly link: number }
  /** A local reader wants leadership confirmed by a round that begins after now. Answered by `leadershipConfirmed`. */
  | { readonly type: 'confirmLeadership'; readonly request: number }
  /** The driver wants this node to give leadership away (disk nearly full, operator). Ignored unless leading. */
  | { readonly type: 'abdicate'; readonly reason: string }
  /** The log's oldest retained position moved: it now holds every entry after `base`. */
  | { readonly type: 'logTrimmed'; readonly base: Zxid };

/** What a node finds on its own disk at boot, given to `createZab`. */
export interface DurableState {
  /** null: blank. */
  readonly ensembleId: EnsembleId | null;
  readonly acceptedEpoch: Epoch;
  readonly currentEpoch: Epoch;
  readonly probation: boolean;
  readonly seed: Zxid;
  /** The log holds every entry after this. */
  readonly logBase: Zxid;
  /** Durable end of the log; logBase when it is empty. */
  readonly lastZxid: Zxid;
  /** Last zxid of each epoch in the log, oldest first, logBase's own epoch included. */
  readonly epochEnds: readonly { readonly epoch: Epoch; readonly last: Zxid }[];
  /** What the tree has durably applied: known committed. logBase <= applied <= lastZxid. */
  readonly applied: Zxid;
}
