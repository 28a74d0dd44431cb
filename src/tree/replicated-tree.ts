// The replicated state as the driver and the services use it. Three layers: staged (leader only) over committed (in
// memory, not flushed) over the store. Synchronous; the only thing that takes time is the store's flush.

import type { Bytes } from '../shared/bytes.js';
import type { Revision, Zxid } from '../shared/ids.js';
import type { AppliedAccess } from './access/tree-access.js';
import type { Alarm } from './alarm.js';
import type { CommandEnvelope, CommandResult } from './command.js';
import type { Entry, SpaceId } from './delta.js';
import type { RevisionPin } from './revision-pins.js';
import type { KeyRecord, StoreContents, StoreUsage, TreeStore, VersionsHash, VersionWrite } from './store.js';

/** What came of executing a command on the leader. */
export type Execution =
  /**
   * It has an effect, or its failure is to be remembered: the entry is staged at the zxid that was offered; the answer
   * may go out once that commits.
   */
  | { readonly type: 'staged'; readonly entry: Entry; readonly result: CommandResult }
  /**
   * No effect (failed condition, nothing to be done, or a repeated request whose result is remembered). Judged by staged
   * state: it may be answered only once `result.zxid` has committed and leadership was confirmed by a round begun
   * afterwards.
   */
  | { readonly type: 'answered'; readonly result: CommandResult }
  /** A repeat of a request that is staged and not committed yet: answer like that one, when `zxid` commits. */
  | { readonly type: 'joined'; readonly zxid: Zxid; readonly result: CommandResult };

export interface ReadResult {
  readonly record: KeyRecord | undefined;
  /** Revision of the state that was read. */
  readonly revision: Revision;
}

export interface RangeRequest {
  readonly from: Bytes;
  /** Exclusive; undefined = to the end. */
  readonly to: Bytes | undefined;
  /** undefined = now. */
  readonly at: Revision | undefined;
  /** Stops after this many records or about this many bytes, whichever is first (at least one record). */
  readonly limit: number;
  readonly bytesMax: number;
  /** Leaves values out. */
  readonly keysOnly: boolean;
}

export type RangeResult =
  | {
      readonly type: 'range';
      readonly records: readonly KeyRecord[];
      /** Key to go on from (inclusive) at the same revision, undefined at the end. */
      readonly next: Bytes | undefined;
      readonly revision: Revision;
    }
  | { readonly type: 'compacted'; readonly compactedRevision: Revision }
  | { readonly type: 'future'; readonly revision: Revision };

/** Which users' records a slice of a long read visits. */
export interface SliceRange {
  readonly from: Bytes;
  /** Exclusive; undefined = to the end. */
  readonly to: Bytes | undefined;
  /** At most the current revision, and not compacted or pinned. */
  readonly at: Revision;
  /** Leaves values out where that is cheaper. */
  readonly keysOnly: boolean;
  /** true: a record's value may be valid only until the visit of it returns. */
  readonly borrowed?: boolean;
  /** Keys of the store to look at, deleted ones included. */
  readonly rowsMax: number;
}

export interface WatchEvent {
  readonly type: 'put' | 'delete';
  readonly key: Bytes;
  readonly modRevision: Revision;
  /** The new record; undefined for a delete. */
  readonly record: KeyRecord | undefined;
  /**
   * The record that it replaced; undefined when there was none, or when it is compacted. Read from the tree when it is
   * first asked for, which fails with a StoreError where the store finds damage.
   */
  readonly previous: KeyRecord | undefined;
  /** What a front end made of it, without and with `previous`, kept for the other watchers of the same event. */
  encoded: Bytes | undefined;
  encodedWithPrevious: Bytes | undefined;
}

export interface WatchRequest {
  readonly from: Bytes;
  /** Exclusive; undefined with `single` false = to the end. */
  readonly to: Bytes | undefined;
  /** Exactly the key `from`. */
  readonly single: boolean;
}

/** The keys of a WatchRequest as texts (key-text.ts): they live as long as the watch, and take a seventh of the memory. */
export interface WatchedKeys {
  readonly from: string;
  readonly to: string | undefined;
  readonly single: boolean;
}

/** A live subscription: told of every committed change of its keys, revision by revision, in order. */
export interface Watcher extends WatchedKeys {
  /** `events` share one revision. Called during apply: must only enqueue, never call the tree. */
  notify(revision: Revision, events: readonly WatchEvent[]): void;
  /**
   * The state jumped forward (a snapshot was installed): everything up to revision `through` was notified, read on from
   * history after it.
   */
  reset(through: Revision): void;
}

/** Told of committed changes in a space that is not the users'; e.g. a cache of it. May read the tree, never change it. */
export interface SpaceListener {
  /** The changes of one entry, in key order. Called during apply, when reads show them. */
  changed(versions: readonly VersionWrite[]): void;
  /** The state jumped forward (a snapshot was installed): read the space anew. */
  reset(): void;
}

export interface ChangesOptions {
  /** About so many bytes at most, but a whole revision at least. */
  readonly bytesMax: number;
  /** The records that were replaced count too: they are going to be asked for. */
  readonly withPrevious?: boolean;
  /**
   * `from` may be the compacted revision itself. Its changes are all there; what they replaced is not.
   */
  readonly fromCompacted?: boolean;
}

export interface DigestResult {
  readonly zxid: Zxid;
  readonly revision: Revision;
  /** Hexadecimal hash of the current records of all replicated spaces. */
  readonly digest: string;
}

export interface ReplicatedTree {
  readonly appliedZxid: Zxid;
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** Bytes held by the committed layer; past `overlayBytesMax` the driver refuses new commands until a flush ends. */
  readonly overlayBytes: number;
  /** Enough was applied for a flush, which has not ended. */
  readonly flushDue: boolean;
  /** The alarms that are raised, by kind and member. */
  readonly alarms: readonly Alarm[];
  /** Last zxid staged, or applied when nothing is staged. */
  readonly stagedZxid: Zxid;
  /** Users, roles and permissions as applied; `onSpaceChange` tells of changes. */
  readonly access: AppliedAccess;

  /** Leader: executes against staged state, to become entry `zxid` if it has an effect. */
  execute(envelope: CommandEnvelope, zxid: Zxid): Execution;
  /** Leader: makes staged entries up to `through`, the end of a batch, committed and visible, tells watchers. */
  commitStaged(through: Zxid): void;
  /** Forgets staged entries: leadership is lost. They may come back by apply. */
  dropStaged(): void;
  /** Follower, or any node replaying its log: applies the committed entries of one batch in order. A zxid at or below appliedZxid is ignored. */
  apply(entries: readonly Entry[]): void;

  /** Latest committed state. */
  get(key: Bytes): ReadResult;
  range(request: RangeRequest): RangeResult;
  /** Committed changes of the range in from..applied revision; for watches that catch up. */
  changes(
    request: WatchRequest,
    from: Revision,
    options: ChangesOptions,
  ):
    | { readonly type: 'changes'; readonly events: readonly WatchEvent[]; readonly next: Revision }
    | { readonly type: 'compacted'; readonly compactedRevision: Revision };
  /** Visits until the callback returns false. Returns the key to go on from when it stopped for rowsMax. */
  slice(range: SliceRange, visit: (record: KeyRecord) => boolean): Bytes | undefined;
  /** The record of a user's key as it was at a revision that is not compacted or is pinned. */
  recordAt(key: Bytes, at: Revision): KeyRecord | undefined;
  /** Keeps what reads at a revision need, which is readable now, until it is released, whatever is compacted. */
  pin(revision: Revision): RevisionPin;
  /** The newest committed record of a key of any space; of the users', `get` says the revision too. */
  recordIn(space: SpaceId, key: Bytes): KeyRecord | undefined;
  /** Visits the newest committed records of a range in key order (`to` undefined = to its end) until false. */
  scanSpace(space: SpaceId, from: Bytes, to: Bytes | undefined, visit: (record: KeyRecord) => boolean): void;
  /** From the next commit on, for the spaces that are not the users'. The returned function ends it. */
  onSpaceChange(space: SpaceId, listener: SpaceListener): () => void;
  /** From the next commit on. */
  watch(watcher: Watcher): void;
  unwatch(watcher: Watcher): void;

  /**
   * Goes on over another store, whose state is ahead of this one: forgets the staged and committed layers and any
   * running flush, and resets every watcher and listener of a space. All of them stay.
   */
  replaceStore(store: TreeStore): void;

  /** Starts a flush when one is due (or when forced) and none runs; `done` after it is durable. */
  flush(options: { readonly force: boolean; readonly done?: (error: Error | null) => void }): void;
  /** Durably applied: the log may be trimmed up to here. */
  readonly flushedZxid: Zxid;
  /** Flushes what is applied, then hashes the store's records. */
  digest(done: (error: Error | null, result: DigestResult | null) => void): void;
  /**
   * Flushes what is applied, then hashes the user keys' versions up to `through`, which is applied; one after the other.
   * Members with the same history and compacted revision have the same hash.
   */
  hashVersions(through: Revision, done: (error: Error | null, hash: VersionsHash | null) => void): void;
  /** What the store under it takes, as of the last flush. */
  usage(): StoreUsage;
  /** Flushes what is applied, and calls back once what compaction made superfluous by now is removed from the store. */
  reclaim(done: (error: Error | null) => void): void;
  /** Flushes what is applied, then gives what the store holds: the caller closes it soon. Error: UNAVAILABLE or the flush's. */
  contents(done: (error: Error | null, contents: StoreContents | null) => void): void;
  /** The result of the last `checkpoint` entry's digest, kept for `digest --all`. */
  onCheckpoint(listener: (result: DigestResult) => void): void;
}
