// The store port: what the tree needs of the disk under it. LMDB implements it (src/storage/lmdb-tree-store.ts), and an
// in-memory twin for the simulator. Reads are synchronous; a flush reports by callback and is atomic and durable.

import type { Bytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type { SpaceId } from './delta.js';

/** What a command has to know of a key: everything but its bytes. */
export interface KeyState {
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  readonly version: number;
  readonly lease: bigint;
}

/** The record of one version of a key. It may be made of accessors: spreading it would lose them. */
export interface KeyRecord extends KeyState {
  readonly key: Bytes;
  readonly value: Bytes;
}

/** Facts about the whole tree, changed only together with a flush. */
export interface TreeMeta {
  readonly appliedZxid: Zxid;
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** Highest last-use zxid among evicted sessions; see RequestIdentity.bornAt. */
  readonly sessionsEvictedThrough: Zxid;
}

/** One version for the store to add. `record` null: the key was deleted at this revision. */
export interface VersionWrite {
  readonly space: SpaceId;
  readonly key: Bytes;
  readonly modRevision: Revision;
  readonly record: KeyRecord | null;
  /** Of key and value, from versions that know it without making views of them. */
  readonly byteLength?: number;
}

/** What became of one request of a client. */
export interface RememberedResult {
  readonly request: number;
  readonly code: 'OK' | ErrorCode;
  readonly revision: Revision;
  readonly zxid: Zxid;
}

/** Results that a client may still ask for again, successes and remembered refusals. */
export interface SessionRecord {
  readonly client: ClientId;
  readonly lastUsed: Zxid;
  readonly acknowledgedBelow: number;
  readonly results: readonly RememberedResult[];
}

export interface FlushBatch {
  readonly meta: TreeMeta;
  /** In (space, key, modRevision) order; several versions of one key may be there. */
  readonly versions: readonly VersionWrite[];
  readonly sessions: readonly SessionRecord[];
  readonly sessionsEvicted: readonly ClientId[];
  readonly byteLength: number;
}

/** A consistent image for SNAP and digests: holds a read transaction; close it soon. Chunks are opaque. */
export interface StoreImage {
  readonly meta: TreeMeta;
  /** Next chunk of at most about bytesMax, perhaps much less; null at the end. */
  next(bytesMax: number): Bytes | null;
  close(): void;
}

/** A retained version of a user key. `record` null: it was deleted at this revision. */
export type RetainedVersion = Omit<VersionWrite, 'space'>;

/**
 * What a store keeps at one moment, for copies in other forms: holds a read transaction; close it soon. Every iteration
 * begins anew and sees the same; after `close`, which the store does too when it is closed, it ends in UNAVAILABLE.
 */
export interface StoreContents {
  readonly meta: TreeMeta;
  /**
   * By revision, then key: all from the compacted revision on, and below it what was current there. Null after a stretch
   * of others, so that the caller may do something else.
   */
  versions(): Iterable<RetainedVersion | null>;
  /** Records of a space without a past, by key. */
  records(space: SpaceId): Iterable<KeyRecord>;
  close(): void;
}

/** Order of iteration: ascending by key. */
export interface StoreRange {
  readonly from: Bytes;
  /** Exclusive; undefined = to the end of the space. */
  readonly to: Bytes | undefined;
  /** The version that was current at this revision; undefined = newest flushed. */
  readonly at: Revision | undefined;
  /** true: records come with an empty value. */
  readonly keysOnly?: boolean;
  /** true: a record's value may be valid only until the visit of it returns, which spares a copy. */
  readonly borrowed?: boolean;
  /** Keys to look at, deleted ones included; absent: all. */
  readonly rowsMax?: number;
}

/** Which changes a catching-up watch reads. */
export interface HistoryRange {
  readonly from: Revision;
  readonly to: Revision;
  /** Stops at the first revision boundary after this many rows, matching or not. */
  readonly rowsMax: number;
  /** Says whether a change of this key is wanted at all, before its record is read. */
  wants(key: Bytes): boolean;
}

export interface TreeStore {
  readonly meta: TreeMeta;
  /** Newest flushed version at or below `at` (undefined = newest), undefined if absent or deleted then. */
  get(space: SpaceId, key: Bytes, at: Revision | undefined): KeyRecord | undefined;
  /** Newest flushed version of a user's key without its value, undefined if absent or deleted: half the work of `get`. */
  state(key: Bytes): KeyState | undefined;
  /**
   * Visits in order until the callback returns false. Holds no transaction after it returns. Returns the key to go on from
   * when it stopped for rowsMax.
   */
  scan(space: SpaceId, range: StoreRange, visit: (record: KeyRecord) => boolean): Bytes | undefined;
  /**
   * Changes of the user space with revision in from..to, by revision and then by key, for watches that catch up. record
   * null = delete. When visit returns false, that change counts as not taken. Returns the revision to go on from: that
   * of the change not taken, or the first one not read, to + 1 at the end.
   */
  history(range: HistoryRange, visit: (change: VersionWrite) => boolean): Revision;
  /**
   * Revisions from `from` on, which is not compacted, at which a user's key changed, ascending; undefined when there are
   * more than `max`. Costs as much as there are of them, whatever else changed.
   */
  keyRevisions(key: Bytes, from: Revision, max: number): readonly Revision[] | undefined;
  sessions(): readonly SessionRecord[];
  /** One at a time. Atomic, durable, with meta inside the same transaction; then reads see it. ENOSPC leaves the store as it was. */
  flush(batch: FlushBatch, done: (error: Error | null) => void): void;
  /**
   * Removes versions not needed at or after `revision`, looking at a bounded number a call: `done` says whether more is
   * left. Deletions at `revision` itself are needed by watches that begin there, and go when it is called for a later one.
   * Never runs beside a flush.
   */
  compactSlice(revision: Revision, versionsMax: number, done: (error: Error | null, more: boolean) => void): void;
  image(): StoreImage;
  contents(): StoreContents;
  /** Order-independent-of-layout hash of current records: feeds (space, key, record) in order. Background, in slices. */
  digest(done: (error: Error | null, digest: StoreDigest | null) => void): void;
  /**
   * Hash over the retained versions of user keys up to `through`, or up to what is flushed if that is less: the same on
   * every store with the same compacted revision. Background, in slices.
   */
  hashVersions(through: Revision, done: (error: Error | null, hash: VersionsHash | null) => void): void;
  /** As of the last flush, a few microseconds of work. */
  usage(): StoreUsage;
}

/** What a store takes of its disk, bytes. */
export interface StoreUsage {
  /** Of what is kept. What was freed and will be written to again does not count. */
  readonly usedBytes: number;
  /** Of the file, which does not shrink. */
  readonly fileBytes: number;
  /** User keys, those whose deletion is not compacted yet included. */
  readonly keys: number;
}

export interface VersionsHash {
  /** Up to here. */
  readonly revision: Revision;
  readonly compactedRevision: Revision;
  /** 32 bits, unsigned. */
  readonly hash: number;
}

/** Hexadecimal hash of the current records of all replicated spaces, with the state that it is of. */
export interface StoreDigest {
  readonly zxid: Zxid;
  readonly revision: Revision;
  readonly digest: string;
}
