// Snapshots of etcd for tests: a content made of plain lists, its file as bytes in memory, and what a reader finds in one.

import type { SnapshotFileBytes } from '../../src/etcd-snapshot/bolt-reader.js';
import type {
  SnapshotContent,
  SnapshotFacts,
  SnapshotLease,
  SnapshotVersion,
} from '../../src/etcd-snapshot/snapshot-content.js';
import { SnapshotReader } from '../../src/etcd-snapshot/snapshot-reader.js';
import { measureSnapshot, writeSnapshot } from '../../src/etcd-snapshot/snapshot-writer.js';
import type { Revision } from '../../src/shared/ids.js';

export interface ContentLists extends Omit<SnapshotContent, 'versions' | 'leases' | 'facts'> {
  readonly versions: readonly SnapshotVersion[];
  readonly leases: readonly SnapshotLease[];
  readonly facts: SnapshotFacts;
}

export const emptyContent: ContentLists = {
  facts: { compactedRevision: 0 as Revision, consistentIndex: 0, term: 1, accessEnabled: false, accessRevision: 1 },
  versions: [],
  leases: [],
  alarms: [],
  users: [],
  roles: [],
  members: [],
};

export function contentOf(lists: ContentLists): SnapshotContent {
  return { ...lists, versions: () => lists.versions, leases: () => lists.leases };
}

/** The version of a key that was put at a revision. */
export function putVersion(
  key: string | Uint8Array,
  value: string | Uint8Array,
  revision: number,
  fields: { readonly createRevision?: number; readonly version?: number; readonly lease?: bigint } = {},
): SnapshotVersion {
  const record = {
    key: Buffer.from(key as string),
    value: Buffer.from(value as string),
    createRevision: (fields.createRevision ?? revision) as Revision,
    modRevision: revision as Revision,
    version: fields.version ?? 1,
    lease: fields.lease ?? 0n,
  };
  return { key: record.key, modRevision: record.modRevision, record };
}

export function deletedVersion(key: string | Uint8Array, revision: number): SnapshotVersion {
  return { key: Buffer.from(key as string), modRevision: revision as Revision, record: null };
}

/** The file, with the sizes that its first pass has said. */
export function snapshotFile(content: SnapshotContent): Buffer {
  const measuring = measureSnapshot(content);
  let size = measuring.next();
  while (size.done !== true) size = measuring.next();
  const pages = [...writeSnapshot(content, size.value)].filter((page) => page !== null);
  const file = Buffer.concat(pages);
  const expected = size.value.databaseBytes + 32;
  if (file.length !== expected) throw new Error(`The file has ${file.length} bytes, not ${expected}`);
  return file;
}

export function inMemory(bytes: Buffer): SnapshotFileBytes {
  return {
    size: bytes.length,
    read: (target, offset) => {
      if (offset + target.length > bytes.length) throw new RangeError('The reader reads past the end of the file');
      bytes.copy(target, 0, offset);
    },
  };
}

/** Everything that a reader finds, the checksum verified where there is one. */
export function readAll(bytes: Buffer): Omit<ContentLists, 'members'> {
  const reader = new SnapshotReader(inMemory(bytes));
  if (reader.hasChecksum) reader.verifyChecksum();
  return readEverything(reader);
}

export function readEverything(reader: SnapshotReader): Omit<ContentLists, 'members'> {
  return {
    facts: reader.facts,
    versions: [...reader.versions()],
    leases: [...reader.leases()],
    alarms: reader.alarms(),
    users: reader.users(),
    roles: reader.roles(),
  };
}
