// Everything the Zab core can ask for. The driver carries effects out strictly in the order given; what needs time
// (disk, network) reports back as an event. An effect is a demand, never a question.

import type { EnsembleId, Epoch, ServerId, Zxid } from '../shared/ids.js';
import type { Batch, ElectionMessage, PeerMessage, Role } from './messages.js';

/** How a follower's log is brought to the leader's. */
export type SyncPlan =
  /** Its log is a prefix of ours: send what follows `after`. */
  | { readonly kind: 'diff'; readonly after: Zxid }
  /** It has entries that we do not: drop those after `to`, then send what follows `to`. */
  | { readonly kind: 'truncate'; readonly to: Zxid }
  /** Its log and ours share nothing usable: send an image of the tree, then what follows it. */
  | { readonly kind: 'snapshot' };

/** The fields of the manifest that the core owns. Written atomically together. */
export interface EpochRecord {
  readonly ensembleId: EnsembleId | null;
  readonly acceptedEpoch: Epoch;
  readonly currentEpoch: Epoch;
  readonly probation: boolean;
  /** The snapshot from which this node's data or its ensemble's comes, a position in epoch 0; zxidZero: from none. */
  readonly seed: Zxid;
}

export type ZabEffect =
  | { readonly type: 'sendDatagram'; readonly to: ServerId; readonly message: ElectionMessage }
  /** Open a quorum connection to this peer. Exactly one `connected` or `disconnected` answers. */
  | { readonly type: 'connect'; readonly peer: ServerId }
  /** Close that connection. No further event of that link is delivered; `disconnected` is not sent for it. */
  | { readonly type: 'disconnect'; readonly peer: ServerId; readonly link: number; readonly reason: string }
  /**
   * Send in order behind everything sent before on this link, an unfinished `synchronize` included. Only a `ping` may and
   * should overtake a `synchronize`, so that a long transfer does not look like silence.
   */
  | { readonly type: 'send'; readonly peer: ServerId; readonly link: number; readonly message: PeerMessage }
  /** The leader's own batch to these followers: encoded once, sent as one `proposal` to each. */
  | {
      readonly type: 'sendProposal';
      readonly links: readonly { readonly peer: ServerId; readonly link: number }[];
      readonly batch: Batch;
      readonly committed: Zxid;
    }
  /**
   * Carry out the plan, then send as proposals every entry up to `through` that the plan has not brought, from the log
   * (durable or not). What is sent on the link later queues behind it. The log is pinned until it is done.
   */
  | {
      readonly type: 'synchronize';
      readonly peer: ServerId;
      readonly link: number;
      readonly plan: SyncPlan;
      readonly through: Zxid;
    }
  /** Write the manifest, fsync, then `persisted`. */
  | { readonly type: 'persist'; readonly record: EpochRecord }
  /** Append to the log; `logDurable` follows, possibly once for several appends. */
  | { readonly type: 'append'; readonly batch: Batch }
  | { readonly type: 'truncateLog'; readonly to: Zxid }
  /** Fetch the leader's snapshot over the bulk connection, install it with this record, then `snapshotInstalled`. */
  | { readonly type: 'receiveSnapshot'; readonly peer: ServerId; readonly link: number; readonly record: EpochRecord }
  /** Entries up to `through` are committed and durable here: apply them, tell watchers, answer clients. */
  | { readonly type: 'deliver'; readonly through: Zxid }
  /**
   * The role changed, or its epoch or serving state. On every change away from leading the driver drops staged state
   * and fails what was proposed and not committed as OUTCOME_UNKNOWN. serving: reads and writes may be taken.
   */
  | {
      readonly type: 'roleChanged';
      readonly role: Role;
      readonly epoch: Epoch;
      readonly leader: ServerId | null;
      readonly serving: boolean;
    }
  /** Leadership was confirmed by a round begun after every `confirmLeadership` with request <= this. */
  | { readonly type: 'leadershipConfirmed'; readonly request: number }
  /** A line for the operator, e.g. whom a forming ensemble waits for. */
  | { readonly type: 'note'; readonly level: 'info' | 'warn'; readonly text: string }
  /** Safety can no longer be kept: the process must stop. */
  | { readonly type: 'halt'; readonly reason: string };
