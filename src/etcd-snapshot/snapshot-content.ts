// What a snapshot of etcd says, as data: the versions of the keys by revision, leases, alarms, users and roles. Says nothing
// of pages and files, and nothing of how zabtree keeps the same.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { KeyRecord } from '../tree/store.js';

/** One version of a key. `record` null: the key was deleted at this revision. */
export interface SnapshotVersion {
  readonly key: Bytes;
  readonly modRevision: Revision;
  readonly record: KeyRecord | null;
}

export interface SnapshotLease {
  readonly id: bigint;
  /** As granted. */
  readonly ttlSeconds: number;
  /** At the last checkpoint; 0: none was made. */
  readonly remainingSeconds: number;
}

/** etcd's numbers: 1 no space, 2 corrupt. */
export interface SnapshotAlarm {
  readonly member: bigint;
  readonly type: number;
}

export interface SnapshotUser {
  readonly name: string;
  /** As the server that wrote it made of the password: etcd keeps bcrypt's text. Empty: none. */
  readonly passwordHash: Bytes;
  readonly roles: readonly string[];
  /** Only a client's certificate says who it is. */
  readonly noPassword: boolean;
}

export type SnapshotPermissionType = 'read' | 'write' | 'readwrite';

export interface SnapshotPermission {
  readonly type: SnapshotPermissionType;
  readonly key: Bytes;
  /** Exclusive. Empty: the one key; a single 0: from the key on. */
  readonly rangeEnd: Bytes;
}

export interface SnapshotRole {
  readonly name: string;
  readonly permissions: readonly SnapshotPermission[];
}

export interface SnapshotMember {
  readonly id: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/** The facts beside the rows. */
export interface SnapshotFacts {
  /** Versions that a read at this revision does not need are gone; 0: nothing was compacted. */
  readonly compactedRevision: Revision;
  /** Index and term of the last entry of the log that is in the snapshot. */
  readonly consistentIndex: number;
  readonly term: number;
  readonly accessEnabled: boolean;
  readonly accessRevision: number;
}

/** Everything that is written. Each method begins anew and gives the same every time; null is a moment to pause. */
export interface SnapshotContent {
  readonly facts: SnapshotFacts;
  /** By revision, then key. */
  versions(): Iterable<SnapshotVersion | null>;
  leases(): Iterable<SnapshotLease | null>;
  readonly alarms: readonly SnapshotAlarm[];
  readonly users: readonly SnapshotUser[];
  readonly roles: readonly SnapshotRole[];
  readonly members: readonly SnapshotMember[];
}
