// What Zab nodes tell each other: election datagrams and peer messages, as plain data. No bytes here (src/wire encodes
// them) and no addresses: a peer is a ServerId. The sources are named in SPEC.md.

import type { Bytes } from '../shared/bytes.js';
import type { EnsembleId, Epoch, ServerId, Zxid } from '../shared/ids.js';

/** What an election compares, in this order: epoch, lastZxid, serverId. */
export interface Ballot {
  /** currentEpoch of the candidate. */
  readonly epoch: Epoch;
  /** Durable end of the candidate's log. */
  readonly lastZxid: Zxid;
  readonly serverId: ServerId;
}

export type Role = 'looking' | 'following' | 'leading';

/** One UDP election message. A hint only: nothing about safety depends on it. */
export interface ElectionMessage {
  readonly role: Role;
  /** Sender's election round while looking; the round in which it decided while following or leading. */
  readonly round: number;
  /** The ballot that the sender votes for (its standing vote when not looking). */
  readonly vote: Ballot;
  /** null while the sender is blank: it has never belonged to an ensemble, or lost its disk. */
  readonly ensembleId: EnsembleId | null;
  /** The sender's own currentEpoch; 0 on every voter is what lets a new ensemble form. */
  readonly currentEpoch: Epoch;
  /** True while the sender may not be counted: it came back from a lost disk (zab.md, blank disks). */
  readonly probation: boolean;
}

/** Last zxid that a log holds of one epoch. */
export interface EpochEnd {
  readonly epoch: Epoch;
  readonly last: Zxid;
}

/**
 * A batch of consecutive entries, the unit of PROPOSAL, of the log record and of ACK. `body` is opaque to the core and
 * travels byte for byte from the leader's prepare to every log. first and last are of one epoch; last >= first.
 */
export interface Batch {
  readonly first: Zxid;
  readonly last: Zxid;
  readonly body: Bytes;
}

/** Follower to leader. */
export type FollowerMessage =
  | {
      readonly type: 'followerInfo';
      readonly acceptedEpoch: Epoch;
      readonly currentEpoch: Epoch;
      readonly lastZxid: Zxid;
      readonly ensembleId: EnsembleId | null;
      readonly probation: boolean;
      /** As in EpochRecord. */
      readonly seed: Zxid;
    }
  | {
      readonly type: 'ackEpoch';
      readonly epoch: Epoch;
      readonly currentEpoch: Epoch;
      readonly lastZxid: Zxid;
      /** Ends of the most recent epochs in the follower's log, oldest first, at most `epochEndsMax`. */
      readonly epochEnds: readonly EpochEnd[];
      /** What the follower knows committed; it is never truncated below this. */
      readonly committed: Zxid;
    }
  | { readonly type: 'ackNewLeader'; readonly epoch: Epoch; readonly durable: Zxid }
  | { readonly type: 'ack'; readonly durable: Zxid }
  | { readonly type: 'pong'; readonly nonce: number }
  /** The follower has durably left probation and may be counted from now on. */
  | { readonly type: 'voterReady'; readonly epoch: Epoch };

/**
 * As what a leader takes a follower in. voter: it is counted. forming: a new ensemble comes to be; it takes the id and is
 * counted. joining: it is blank or came back from a lost disk; it is synchronized, kept on probation, not counted.
 * returning: it was on probation and present before this epoch was chosen; not counted for establishing the epoch, it
 * may leave probation once it is up to date.
 */
export type Admission = 'voter' | 'forming' | 'joining' | 'returning';

/** Leader to follower. */
export type LeaderMessage =
  | {
      readonly type: 'leaderInfo';
      readonly epoch: Epoch;
      readonly ensembleId: EnsembleId;
      readonly admission: Admission;
      /** Of the ensemble, as in EpochRecord. */
      readonly seed: Zxid;
    }
  /** Drop every log entry after `to`. */
  | { readonly type: 'truncate'; readonly to: Zxid }
  /** A snapshot follows on the bulk connection; log entries after it come here once it is installed. */
  | { readonly type: 'snapshot' }
  | { readonly type: 'proposal'; readonly batch: Batch; readonly committed: Zxid }
  | { readonly type: 'newLeader'; readonly epoch: Epoch }
  | { readonly type: 'upToDate'; readonly committed: Zxid }
  | { readonly type: 'commit'; readonly committed: Zxid }
  | { readonly type: 'ping'; readonly nonce: number; readonly committed: Zxid };

export type PeerMessage = FollowerMessage | LeaderMessage;

/** Most epoch ends that an ackEpoch carries. A follower whose common epoch is older gets a snapshot. */
export const epochEndsMax = 64;
