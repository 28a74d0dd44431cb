// Messages of the bulk channel between two members: forwarded requests, read points, snapshots, broadcasts, reports.
// Zab itself never travels here, so nothing here can delay a ping or a proposal.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { EnsembleId, Revision, ServerId, Zxid } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';

export type BulkMessage =
  /** Follower to leader. Ids are unique per connection; timeoutMs is what is left of the client's deadline. */
  | {
      readonly type: 'forward';
      readonly items: readonly {
        readonly id: number;
        readonly timeoutMs: number;
        readonly envelope: CommandEnvelope;
      }[];
    }
  | {
      readonly type: 'forwardResult';
      readonly items: readonly { readonly id: number; readonly result: CommandResult }[];
    }
  /** Follower to leader: a linearizable read point is wanted; one in flight per connection. */
  | { readonly type: 'readPoint'; readonly id: number }
  /** code 'OK': everything committed when the readPoint arrived is at or below zxid, and leadership was confirmed since. */
  | { readonly type: 'readPointResult'; readonly id: number; readonly code: 'OK' | ErrorCode; readonly zxid: Zxid }
  /** Leader to follower, in answer to its `snapshotRequest`: an image of the tree at zxid follows. */
  | { readonly type: 'snapshotRequest' }
  | { readonly type: 'snapshotBegin'; readonly zxid: Zxid; readonly ensembleId: EnsembleId }
  | { readonly type: 'snapshotChunk'; readonly bytes: Bytes }
  | { readonly type: 'snapshotEnd' }
  /** Follower to leader: this many more chunks may be sent. */
  | { readonly type: 'snapshotCredit'; readonly chunks: number }
  /** Follower to leader: installed and switched; what follows zxid may come on the quorum channel. */
  | { readonly type: 'snapshotInstalled'; readonly zxid: Zxid }
  /** An ephemeral message for the listeners of every node; a follower sends it to the leader, the leader to all. */
  | { readonly type: 'broadcast'; readonly id: number; readonly payload: Bytes }
  /** Leader to the follower whose broadcast it has passed on. */
  | { readonly type: 'broadcastDone'; readonly id: number }
  /** What `server` found at a checkpoint entry; a follower sends its own to the leader, the leader passes each on. */
  | {
      readonly type: 'digestReport';
      readonly server: ServerId;
      readonly zxid: Zxid;
      readonly revision: Revision;
      readonly digest: string;
    }
  /** Leader to followers: the RequestAddr of every member that it knows. */
  | {
      readonly type: 'memberAddresses';
      readonly items: readonly { readonly server: ServerId; readonly requestAddr: string }[];
    };
