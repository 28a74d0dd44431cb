// The server's half of `zabtree snapshot status`: looks at a snapshot file, and says in one clear error why it is none.

import { reasonOf } from '../config/config-file.js';
import { DiskFile } from '../etcd-snapshot/disk-file.js';
import { type SnapshotStatus, snapshotStatus } from '../etcd-snapshot/snapshot-status.js';

export type { SnapshotStatus };

/** Throws what is fit for a person. */
export function readSnapshotStatus(path: string): SnapshotStatus {
  let file: DiskFile | undefined;
  try {
    file = new DiskFile(path);
    return snapshotStatus(file);
  } catch (cause) {
    throw new Error(`Cannot read snapshot "${path}": ${reasonOf(cause)}`, { cause });
  } finally {
    file?.close();
  }
}
