// The state of one Zab node: everything that `step` reads and changes. Plain data; what is durable, what is in flight to
// the disk, and one of three roles. Never a closure, a clock or a byte of an entry.

import type { Fifo } from '../shared/fifo.js';
import type { EnsembleId, Epoch, ServerId, Zxid } from '../shared/ids.js';
import type { SeededRandom } from '../shared/random.js';
import type { EpochRecord, SyncPlan } from './effects.js';
import type { DurableState } from './events.js';
import type { History } from './history.js';
import type { Admission, Ballot, ElectionMessage, FollowerMessage, LeaderMessage } from './messages.js';

/** What the operator may set, milliseconds. Everything else is derived from it (see Limits). */
export interface ZabTiming {
  /** Leader to follower. */
  readonly pingIntervalMs: number;
  /** Silence after which a leader or follower is given up. */
  readonly syncLimitMs: number;
  /** Discovery and synchronization must make progress within this. */
  readonly initLimitMs: number;
  /** Wait for a better vote once a quorum agrees; nothing is waited for when every member agrees. */
  readonly electionFinalizeMs: number;
  readonly electionResendMinMs: number;
  readonly electionResendMaxMs: number;
}

export interface ZabOptions {
  readonly self: ServerId;
  /** All voters, self included. */
  readonly members: readonly ServerId[];
  /** Seeds the jitter, nothing else. */
  readonly seed: number;
  readonly nowMs: number;
  readonly timing: ZabTiming;
  /** A quorum of blank voters may form a new ensemble when this node leads it, without the missing ones. */
  readonly bootstrap: boolean;
  readonly durable: DurableState;
  /** Random; used if this node forms a new ensemble. */
  readonly newEnsembleId: EnsembleId;
}

/** Times derived from ZabTiming, milliseconds. */
export interface Limits extends ZabTiming {
  /** Attempts to reach a leader, and an elected leader's wait for a quorum to connect. */
  readonly connectLimitMs: number;
  readonly reconnectIntervalMs: number;
  /** Attempts that failed at once, without a time-out: whoever was elected is not there any more. */
  readonly connectAttemptsMax: number;
  /** A snapshot transfer that a prospective leader waits for. */
  readonly transferLimitMs: number;
  /** A follower that acknowledges nothing of what it was sent for so long is dropped. */
  readonly ackLimitMs: number;
  /** A follower on probation must have been connected for so long before a new epoch is begun for it. */
  readonly probationMs: number;
  /** An elected leader waits so long for members on probation before it chooses its epoch. */
  readonly returnersWaitMs: number;
  /** Least time between two abdications for the sake of another member. */
  readonly abdicateIntervalMs: number;
  /** First and longest time that an unreachable candidate is not voted for. */
  readonly demoteMinMs: number;
  readonly demoteMaxMs: number;
  readonly noteIntervalMs: number;
}

export function limitsOf(timing: ZabTiming): Limits {
  const { syncLimitMs, initLimitMs } = timing;
  return {
    pingIntervalMs: timing.pingIntervalMs,
    syncLimitMs,
    initLimitMs,
    electionFinalizeMs: timing.electionFinalizeMs,
    electionResendMinMs: timing.electionResendMinMs,
    electionResendMaxMs: timing.electionResendMaxMs,
    connectLimitMs: syncLimitMs / 2,
    reconnectIntervalMs: timing.electionResendMinMs,
    connectAttemptsMax: 4,
    transferLimitMs: initLimitMs * 12,
    ackLimitMs: syncLimitMs * 5,
    probationMs: syncLimitMs * 2.5,
    returnersWaitMs: syncLimitMs / 4,
    abdicateIntervalMs: syncLimitMs * 5,
    demoteMinMs: syncLimitMs / 2,
    demoteMaxMs: syncLimitMs * 4,
    noteIntervalMs: syncLimitMs * 2.5,
  };
}

export type FollowerInfo = Extract<FollowerMessage, { readonly type: 'followerInfo' }>;
export type AckEpoch = Extract<FollowerMessage, { readonly type: 'ackEpoch' }>;
export type LeaderInfo = Extract<LeaderMessage, { readonly type: 'leaderInfo' }>;

/**
 * The one thing that the disk does for the core besides appending, and what follows it once it is durable. `tenure` is
 * that of the role which asked; after a change of role the durable result is taken over, what would follow is not.
 */
export type DiskWork =
  | { readonly type: 'persist'; readonly then: Continuation; readonly record: EpochRecord; readonly tenure: number }
  | { readonly type: 'truncate'; readonly to: Zxid; readonly tenure: number }
  | { readonly type: 'snapshot'; readonly link: number; readonly record: EpochRecord; readonly tenure: number };

export type Continuation =
  /** Leader: offer the epoch. */
  | 'offerEpoch'
  /** Leader: synchronize those who promised. */
  | 'beginSynchronization'
  /** Follower: send ackEpoch, ackNewLeader, voterReady. */
  | 'acknowledgeEpoch'
  | 'acknowledgeNewLeader'
  | 'announceVoter';

/** Latest datagram of a peer while this node looks for a leader. */
export interface HeardVote extends ElectionMessage {
  readonly heardMs: number;
}

/** A connection accepted before this node knew whether it leads. */
export interface HeldLink {
  readonly peer: ServerId;
  readonly link: number;
  readonly sinceMs: number;
  info: FollowerInfo | null;
}

export interface Looking {
  readonly role: 'looking';
  /** False until the disk has caught up with everything given to it: no ballot before. */
  electing: boolean;
  /** Not before this, after roles that failed. */
  electAtMs: number;
  round: number;
  /** null: this node stands for nothing itself and has seen no vote that it may adopt. */
  vote: Ballot | null;
  readonly heard: Map<ServerId, HeardVote>;
  readonly held: Map<ServerId, HeldLink>;
  /** When to decide for the ballot `decidingFor`, which has a quorum; null: none has. */
  decideAtMs: number | null;
  decidingFor: Ballot | null;
  resendAtMs: number;
  resendMs: number;
  sinceMs: number;
  roundSinceMs: number;
}

export type FollowingPhase =
  | 'connecting'
  /** followerInfo sent. */
  | 'greeting'
  /** acceptedEpoch is being persisted. */
  | 'promising'
  /** ackEpoch sent; truncation, snapshot and missing entries arrive. */
  | 'synchronizing'
  /** newLeader received: everything before it becomes durable, then currentEpoch. */
  | 'adopting'
  /** ackNewLeader sent. */
  | 'synchronized'
  /** upToDate received. */
  | 'upToDate';

export interface Following {
  readonly role: 'following';
  readonly vote: Ballot;
  readonly round: number;
  readonly leader: ServerId;
  phase: FollowingPhase;
  /** 0 while connecting. */
  link: number;
  epoch: Epoch;
  /** Of the leader; adopted at once by a blank node with an empty log, otherwise together with a snapshot. */
  ensembleId: EnsembleId | null;
  /** Of the leader's ensemble. */
  seed: Zxid;
  admission: Admission;
  /** The leader's first word after ackEpoch was seen: truncate and snapshot are out of order now. */
  syncBegun: boolean;
  /** Only a snapshot will do: what this node holds belongs to another ensemble, or was restored by itself. */
  snapshotOnly: boolean;
  /** End of the log when newLeader came. */
  adoptEnd: Zxid;
  /** Serves clients once it has delivered this; null before upToDate. */
  serveAt: Zxid | null;
  serving: boolean;
  /** Durable end last told to the leader. */
  acknowledged: Zxid;
  /** The leader's messages that wait for truncation or snapshot, and their bytes. */
  readonly held: Fifo<LeaderMessage>;
  heldBytes: number;
  sinceMs: number;
  heardMs: number;
  retryAtMs: number;
  /** Attempts to connect that failed. */
  connectsFailed: number;
}

export type FollowerPhase =
  | 'connected'
  | 'informed'
  /** leaderInfo sent. */
  | 'offered'
  /** ackEpoch received. */
  | 'promised'
  /** Entries and newLeader are on their way. */
  | 'synchronizing'
  /** ackNewLeader received. */
  | 'synchronized';

/** A follower as its leader sees it, for the time of one link. */
export interface Follower {
  readonly peer: ServerId;
  readonly link: number;
  readonly connectedMs: number;
  phase: FollowerPhase;
  info: FollowerInfo | null;
  promise: AckEpoch | null;
  admission: Admission;
  /** Counted in quorums. */
  counted: boolean;
  plan: SyncPlan['kind'] | null;
  /** What ackNewLeader must cover; end of everything sent. */
  syncEnd: Zxid;
  sent: Zxid;
  /** Acknowledged durable end. */
  durable: Zxid;
  /** Since when something sent has been unacknowledged without progress. */
  unacknowledgedSinceMs: number;
  heardMs: number;
  /** Greatest nonce answered. */
  nonce: number;
}

export type LeadingPhase =
  /** Waits for a quorum of followerInfo. */
  | 'gathering'
  /** acceptedEpoch is being persisted. */
  | 'choosing'
  /** Waits for a quorum of ackEpoch. */
  | 'discovering'
  /** currentEpoch is being persisted. */
  | 'crowning'
  /** Waits for a quorum of ackNewLeader. */
  | 'synchronizing'
  | 'established';

export interface LinkName {
  readonly peer: ServerId;
  readonly link: number;
}

export interface Leading {
  readonly role: 'leading';
  readonly vote: Ballot;
  readonly round: number;
  phase: LeadingPhase;
  /** 0 while gathering. */
  epoch: Epoch;
  /** A new ensemble comes to be in this epoch. */
  forming: boolean;
  /** End of this node's history when it was elected: committed with the newLeader quorum. */
  readonly initialEnd: Zxid;
  readonly followers: Map<ServerId, Follower>;
  /** Followers whose promise of this epoch counts; a promise outlives its link. */
  readonly promised: Set<ServerId>;
  /** Members seen on probation during the election: the choice of the epoch waits a little for them. */
  readonly returners: readonly ServerId[];
  /** Links whose followerInfo was there before the epoch was chosen. */
  readonly early: Set<number>;
  /** Links that take live proposals; made anew when followers come or go. */
  links: readonly LinkName[];
  /** Ends of batches proposed and not committed, oldest first. */
  readonly inFlight: Fifo<Zxid>;
  /** Scratch for quorumDurable. */
  readonly ends: Zxid[];
  nonce: number;
  /** Nonce of the confirmation round in flight, 0: none. */
  roundNonce: number;
  /** Greatest request that this round answers, and greatest one that waits for the next. 0: none. */
  roundRequest: number;
  waitingRequest: number;
  pingAtMs: number;
  /** Start of the present phase, and since when no quorum is connected (null: one is). */
  phaseSinceMs: number;
  lonelySinceMs: number | null;
}

export type RoleState = Looking | Following | Leading;

/** A change of role that an event has brought about; `step` carries it out at its end. */
export type Transition =
  | { readonly to: 'looking'; readonly reason: string }
  | { readonly to: 'following'; readonly vote: Ballot; readonly round: number }
  | { readonly to: 'leading'; readonly vote: Ballot; readonly round: number };

export interface Demotion {
  untilMs: number;
  durationMs: number;
}

export interface ZabState {
  readonly self: ServerId;
  readonly members: readonly ServerId[];
  readonly quorum: number;
  readonly limits: Limits;
  readonly bootstrap: boolean;
  readonly newEnsembleId: EnsembleId;
  readonly random: SeededRandom;
  /** This node's own time: stands still while the process does. */
  nowMs: number;
  tickedMs: number;
  /** As it is on disk. */
  record: EpochRecord;
  readonly history: History;
  /** Known committed; delivered <= min(committed, history.durable). */
  committed: Zxid;
  delivered: Zxid;
  disk: DiskWork | null;
  role: RoleState;
  /** Counts roles; work for the disk remembers in which one it was asked for. */
  tenure: number;
  /** Roles in a row that ended before they served. */
  failures: number;
  /** Last election round entered. */
  round: number;
  transition: Transition | null;
  /** Peers with an effect `connect` that nothing has answered yet. */
  readonly connects: Set<ServerId>;
  readonly demotions: Map<ServerId, Demotion>;
  /** Greatest acceptedEpoch heard of: the next epoch lies above it. */
  acceptedSeen: Epoch;
  /** When this node last gave leadership away for another member's sake, and how often without success. */
  abdicatedMs: number;
  abdications: number;
  /** Last time of each kind of note. */
  readonly notes: Map<string, number>;
  started: boolean;
  halted: boolean;
}
