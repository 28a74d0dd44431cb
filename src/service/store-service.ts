// What every front end calls: protocol-neutral reads, writes, watches and administration. Front ends decode, call this,
// encode. Errors are StoreError with a closed code. Callbacks and sinks are called from the middle of the core: they keep
// their own exceptions to themselves. What they do throw ends the process like the core's own. Implemented by service.ts.

import type { NodeStatus } from '../ensemble/ensemble-node.js';
import type { Bytes } from '../shared/bytes.js';
import type { StoreError } from '../shared/errors.js';
import type { Epoch, Revision, ServerId, Zxid } from '../shared/ids.js';
import type { Alarm } from '../tree/alarm.js';
import type { Actor, CommandEnvelope, CommandResult } from '../tree/command.js';
import type {
  DigestResult,
  RangeRequest,
  RangeResult,
  ReadResult,
  WatchEvent,
  WatchRequest,
} from '../tree/replicated-tree.js';
import type { KeyRecord, StoreUsage, VersionsHash } from '../tree/store.js';
import type { RangeSelection } from '../tree/transaction.js';

import type { AccessService } from './access-service.js';

import type { StateCopier } from './state-copies.js';

export interface ReadOptions {
  /** true: answer from this node's applied state at once. false: linearizable. */
  readonly local: boolean;
  /** The node first waits until it has applied this (the highest zxid that the client has seen; 0 = none). */
  readonly seen: Zxid;
  readonly timeoutMs: number;
  /** Absent: nobody, who may read only while access control is off. */
  readonly actor?: Actor | undefined;
  /** Asked when the node may read; false: nothing is read, and there is neither a result nor an error. */
  readonly wanted?: () => boolean;
}

/** What a selection comes to, known before its first record. */
export interface SelectionHead {
  /** Of the state that it is read at. */
  readonly revision: Revision;
  /** Keys of the selection, whatever limit and filters say. */
  readonly count: number;
  readonly more: boolean;
  /** Records that follow, and the sum of their sizes as `sizeOf` says. */
  readonly records: number;
  readonly bytes: number;
}

/** Takes the answer to a selection: `begin`, pages of records in order, `end`. Small ones come in one turn. */
export interface SelectionSink {
  /** Bytes that this record takes in the answer. Asked for each record before `begin`. */
  sizeOf(record: KeyRecord): number;
  begin(head: SelectionHead): void;
  /** False: no more until `resume`. */
  records(page: readonly KeyRecord[]): boolean;
  /** The last word. An error may come instead of `begin` or after it. */
  end(error: StoreError | null): void;
}

export interface SelectionHandle {
  resume(): void;
  /** Nothing more comes, not even `end`. */
  cancel(): void;
}

export interface WatchStart extends WatchRequest {
  /** The node first waits until it has applied this (0 = none). */
  readonly seen: Zxid;
  /** First revision wanted; undefined = from the next change on. */
  readonly fromRevision: Revision | undefined;
  /** Sends the current records first, then every change after that state. Excludes fromRevision. */
  readonly withInitial: boolean;
  /** The first revision may be the compacted one itself. Otherwise that is COMPACTED: what it replaced is not there. */
  readonly fromCompacted?: boolean;
  /** The records that events replaced are going to be asked for: they count as bytes of what is read at once. */
  readonly withPrevious?: boolean;
  /** Leaves these events out. */
  readonly withoutPuts?: boolean;
  readonly withoutDeletes?: boolean;
  /**
   * Absent: nobody, who may watch only while access control is off. Asked again at every change of access control: a watch
   * that is no longer permitted ends with PERMISSION_DENIED, before anything that came after the change.
   */
  readonly actor?: Actor | undefined;
}

/** Where a watch delivers. A sink that cannot take more says so, and the watch goes on from history once it can. */
export interface WatchSink {
  /** Asked before each delivery. False: nothing comes until `resume`. */
  ready(): boolean;
  /** Whole revisions, in order. */
  events(events: readonly WatchEvent[]): void;
  /** Part of the initial state; `last` with the final part. */
  initial(records: readonly KeyRecord[], revision: Revision, last: boolean): void;
  /** The watch is over: COMPACTED (a CompactedError), UNAVAILABLE, … */
  ended(error: StoreError): void;
  /** It went live: told of changes as they are committed; or it fell behind and reads history, as at its beginning. */
  liveChanged?(live: boolean): void;
}

export interface WatchHandle {
  /** The sink can take more again. */
  resume(): void;
  cancel(): void;
  /** Every change of its range up to this revision was delivered; undefined while it is behind, or not begun. */
  readonly deliveredThrough: Revision | undefined;
}

/** The role in the words that every front end says to its clients. A leader is one that serves as such. */
export type MemberRole = 'looking' | 'follower' | 'leader';

/** The last time that everything on this node's disk was verified. */
export interface ScrubSummary {
  /** Since the node was started. */
  readonly rounds: number;
  readonly rows: number;
  readonly bytes: number;
  readonly endedAt: Date;
}

export interface MemberStatus extends Omit<NodeStatus, 'role'> {
  readonly role: MemberRole;
  /** Null before the first round has ended. */
  readonly lastScrub: ScrubSummary | null;
}

export interface ServiceUsage extends StoreUsage {
  /** Bytes in use past which puts are refused. */
  readonly quotaBytes: number;
}

export interface StoreService {
  readonly access: AccessService;
  /** What this node has applied: zxid and revision of its state, for the heads of answers. */
  readonly appliedZxid: Zxid;
  readonly revision: Revision;
  /** As in `status()`, for the heads of answers. */
  readonly epoch: Epoch;
  /**
   * Without an actor it is nobody's request, which is executed only while access control is off.
   * `done` may be called before this returns. timeoutMs 0 = the default; the maximum applies. So for all of them.
   */
  write(envelope: CommandEnvelope, timeoutMs: number, done: (result: CommandResult) => void): void;
  get(key: Bytes, options: ReadOptions, done: (error: StoreError | null, result: ReadResult | null) => void): void;
  range(
    request: RangeRequest,
    options: ReadOptions,
    done: (error: StoreError | null, result: Extract<RangeResult, { type: 'range' }> | null) => void,
  ): void;
  /**
   * Reads a selection of any size at one revision; what is larger than a page is read twice, for its sizes and then for
   * its bytes, in turns of the event loop. Calls the sink at the earliest before this returns.
   */
  select(selection: RangeSelection, options: ReadOptions, sink: SelectionSink): SelectionHandle;
  /** Ids of all leases, and the revision of that state. */
  leases(
    options: ReadOptions,
    done: (
      error: StoreError | null,
      result: { readonly ids: readonly bigint[]; readonly revision: Revision } | null,
    ) => void,
  ): void;
  /** Throws StoreError for a range that cannot be; anything later reaches the sink, never before this returns. */
  watch(start: WatchStart, sink: WatchSink): WatchHandle;
  /** Watches that are neither cancelled nor ended. */
  readonly openWatches: number;
  /** Calls back when this node has applied everything that was committed anywhere when this was called. */
  barrier(timeoutMs: number, done: (error: StoreError | null) => void): void;
  /** Why this user may not administer, as this node has applied users and roles; null: it may. */
  adminRefusal(actor: Actor): StoreError | null;
  /** The alarms that are raised, as this node has applied them; by kind and member. */
  readonly alarms: readonly Alarm[];
  usage(): ServiceUsage;
  /**
   * Hash over the versions of user keys up to a revision (undefined = all that is applied), the same on every member with
   * the same compacted revision. Works in the background, one hash after the other.
   */
  hashVersions(at: Revision | undefined, done: (error: StoreError | null, hash: VersionsHash | null) => void): void;
  /** Calls back once what compaction made superfluous is removed from this node's disk, for new data to take its place. */
  reclaim(done: (error: StoreError | null) => void): void;
  broadcast(payload: Bytes, timeoutMs: number, done: (error: StoreError | null) => void): void;
  onBroadcast(listener: (payload: Bytes) => void): () => void;
  status(): MemberStatus;
  /** Holds everything that this node has applied still for a copy. Needs the rights of an administrator. */
  copyState(actor: Actor | undefined, copier: StateCopier): void;
  /** This node's digest; proposes nothing. */
  digest(done: (error: StoreError | null, result: DigestResult | null) => void): void;
  digestAll(
    timeoutMs: number,
    done: (error: StoreError | null, results: readonly (DigestResult & { readonly id: ServerId })[]) => void,
  ): void;
}
