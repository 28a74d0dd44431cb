// What `etcdctl snapshot status` says of a snapshot, counted as it counts: rows of all buckets, and a hash over them. Reads the
// whole file; holds one page a level.

import { BoltReader, type SnapshotFileBytes } from './bolt-reader.js';
import { Crc32c } from './crc32c.js';
import { decodeRevisionKey } from './etcd-rows.js';
import { SnapshotFileError } from './snapshot-file-error.js';
import { checksumAlignment, checksumBytes, SnapshotReader } from './snapshot-reader.js';

export interface SnapshotStatus {
  /** CRC-32 (Castagnoli) of the names of the buckets, and their keys and values. */
  readonly hash: number;
  readonly revision: number;
  /** Rows of all buckets. */
  readonly totalKeys: number;
  /** Of the database, bytes. */
  readonly totalBytes: number;
  /** False: the file has no checksum, so that damage to it may go unnoticed. */
  readonly isVerified: boolean;
}

/** Throws SnapshotFileError for what is no snapshot, or is a damaged one. */
export function snapshotStatus(file: SnapshotFileBytes): SnapshotStatus {
  const beyondPages = file.size % checksumAlignment;
  if (beyondPages !== 0 && beyondPages !== checksumBytes)
    throw new SnapshotFileError(`its length, ${file.size} bytes, is that of no snapshot: it was cut off`);
  const reader = new SnapshotReader(file);
  if (reader.hasChecksum) reader.verifyChecksum();
  const database = new BoltReader(file, file.size - beyondPages);
  const crc = new Crc32c();
  let revision = 0;
  let totalKeys = 0;
  for (const { name, bucket } of database.buckets()) {
    crc.update(name);
    const isKeys = name.equals(keyBucket);
    for (const { key, value } of bucket.rows()) {
      crc.update(key);
      crc.update(value);
      totalKeys += 1;
      if (isKeys) ({ revision } = decodeRevisionKey(key));
    }
  }
  const { pageBytes, pageCount } = database.meta;
  const isVerified = reader.hasChecksum;
  return { hash: crc.value, revision, totalKeys, totalBytes: pageBytes * pageCount, isVerified };
}

const keyBucket = Buffer.from('key');
