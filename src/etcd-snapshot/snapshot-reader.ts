// Reads a snapshot that zabtree or etcd has made, or the database of an etcd that is stopped: its checksum, the versions of
// the keys in order, and everything else that a new ensemble takes over. Holds one revision at a time.

import { createHash } from 'node:crypto';
import { compareBytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import { type BoltBucket, BoltReader, type SnapshotFileBytes } from './bolt-reader.js';
import {
  type BucketName,
  decodeAlarm,
  decodeLease,
  decodeRevisionKey,
  decodeRole,
  decodeUint64,
  decodeUser,
  decodeVersion,
} from './etcd-rows.js';
import type {
  SnapshotAlarm,
  SnapshotFacts,
  SnapshotLease,
  SnapshotRole,
  SnapshotUser,
  SnapshotVersion,
} from './snapshot-content.js';
import { SnapshotFileError } from './snapshot-file-error.js';

export const checksumBytes = 32;
/** Files of whole pages alone are a multiple of this. */
export const checksumAlignment = 512;
const hashedChunkBytes = 2 ** 20;
/** Of all changes of one revision, which are put in order of their keys; and what one takes in memory beside its bytes. */
const revisionBytesMax = 256 * 2 ** 20;
const versionOverheadBytes = 128;

export class SnapshotReader {
  readonly facts: SnapshotFacts;
  /** The file ends with a checksum: what `etcdctl snapshot save` stores does, a server's own database does not. */
  readonly hasChecksum: boolean;
  private readonly file: SnapshotFileBytes;
  private readonly database: BoltReader;
  private readonly databaseBytes: number;
  private knownDigest: Buffer | undefined;

  /** Throws SnapshotFileError for what is no snapshot. Does not read it all: see `verifyChecksum`. */
  constructor(file: SnapshotFileBytes) {
    this.file = file;
    this.hasChecksum = file.size % checksumAlignment === checksumBytes;
    this.databaseBytes = this.hasChecksum ? file.size - checksumBytes : file.size;
    this.database = new BoltReader(file, this.databaseBytes);
    this.bucket('key');
    this.facts = this.readFacts();
  }

  /** SHA-256 of the database; reads all of it the first time. */
  digest(): Buffer {
    this.knownDigest ??= this.hash();
    return this.knownDigest;
  }

  /** Throws SnapshotFileError when the file does not end with the SHA-256 of what is before. */
  verifyChecksum(): void {
    if (!this.hasChecksum) throw new SnapshotFileError('it does not end with a checksum');
    const expected = Buffer.alloc(checksumBytes);
    this.file.read(expected, this.databaseBytes);
    if (!this.digest().equals(expected)) throw new SnapshotFileError('its checksum does not match: it is damaged');
  }

  /**
   * By revision, then key; the bytes are copies. Where a revision changed a key twice, the last change counts. Versions that
   * the compacted revision leaves behind may be among them: etcd removes them bit by bit.
   */
  *versions(): Generator<SnapshotVersion, undefined, undefined> {
    let revision = 0 as Revision;
    let changes: SnapshotVersion[] = [];
    let bytes = 0;
    for (const row of this.bucket('key').rows()) {
      const at = decodeRevisionKey(row.key);
      if (at.revision !== revision) {
        yield* byKey(changes);
        revision = at.revision;
        changes = [];
        bytes = 0;
      }
      bytes += row.value.length + versionOverheadBytes;
      if (bytes > revisionBytesMax && changes.length > 0)
        throw new SnapshotFileError(`revision ${revision} has more than ${revisionBytesMax} bytes of changes`);
      // One copy for key and value: the row is gone with the next one.
      changes.push(decodeVersion(at, Buffer.from(row.value)));
    }
    yield* byKey(changes);
    return undefined;
  }

  *leases(): Generator<SnapshotLease, undefined, undefined> {
    for (const { value } of this.rows('lease')) yield decodeLease(value);
    return undefined;
  }

  alarms(): readonly SnapshotAlarm[] {
    return Array.from(this.rows('alarm'), ({ key }) => decodeAlarm(key));
  }

  users(): readonly SnapshotUser[] {
    return Array.from(this.rows('authUsers'), ({ value }) => decodeUser(Buffer.from(value)));
  }

  roles(): readonly SnapshotRole[] {
    return Array.from(this.rows('authRoles'), ({ value }) => decodeRole(Buffer.from(value)));
  }

  private hash(): Buffer {
    const hash = createHash('sha256');
    for (let offset = 0; offset < this.databaseBytes; offset += hashedChunkBytes) {
      const chunk = Buffer.allocUnsafe(Math.min(hashedChunkBytes, this.databaseBytes - offset));
      this.file.read(chunk, offset);
      hash.update(chunk);
    }
    return hash.digest();
  }

  private readFacts(): SnapshotFacts {
    const meta = this.database.bucket('meta' satisfies BucketName);
    const auth = this.database.bucket('auth' satisfies BucketName);
    // A compaction that was begun counts: etcd goes on with it when it starts.
    const compacted = ['finishedCompactRev', 'scheduledCompactRev'].map((name) => {
      const row = meta?.get(name) ?? null;
      return row === null ? 0 : decodeRevisionKey(row).revision;
    });
    return {
      compactedRevision: Math.max(...compacted) as Revision,
      consistentIndex: numberOf(meta, 'consistent_index'),
      term: numberOf(meta, 'term'),
      accessEnabled: auth?.get('authEnabled')?.[0] === 1,
      accessRevision: numberOf(auth, 'authRevision'),
    };
  }

  private *rows(name: BucketName): ReturnType<BoltBucket['rows']> {
    const bucket = this.database.bucket(name);
    if (bucket !== null) yield* bucket.rows();
    return undefined;
  }

  private bucket(name: BucketName): BoltBucket {
    const bucket = this.database.bucket(name);
    if (bucket === null) throw new SnapshotFileError(`it has no bucket "${name}": it is not of etcd's version 3`);
    return bucket;
  }
}

function numberOf(bucket: BoltBucket | null, name: string): number {
  const row = bucket?.get(name) ?? null;
  return row === null ? 0 : decodeUint64(row, `its "${name}"`);
}

function byKey(changes: readonly SnapshotVersion[]): readonly SnapshotVersion[] {
  if (changes.length < 2) return changes;
  const sorted = [...changes].sort((a, b) => compareBytes(a.key, b.key));
  return sorted.filter(({ key }, index) => {
    const next = sorted[index + 1];
    return next === undefined || compareBytes(key, next.key) !== 0;
  });
}
