// Writes a snapshot as etcd's tools read it: a bbolt database and behind it the SHA-256 of all its bytes. Reads its content
// twice, first for the sizes that the beginning of the file states, then for the bytes; holds a few pages at a time.

import { createHash } from 'node:crypto';
import { assert } from '../shared/assert.js';
import type { Revision } from '../shared/ids.js';
import { ProtoWriter } from '../wire/protobuf/proto-writer.js';
import {
  bucketElement,
  encodeBucket,
  encodeMetaPage,
  pageFlags,
  writePageHeader,
  writtenPageBytes,
} from './bolt-format.js';
import { BucketWriter, PageNumbers } from './bucket-writer.js';
import {
  type BucketName,
  bucketNames,
  encodeAlarm,
  encodeConfState,
  encodeLease,
  encodeLeaseKey,
  encodeMember,
  encodeRevisionKey,
  encodeRole,
  encodeUint64,
  encodeUser,
  encodeVersion,
  memberKey,
} from './etcd-rows.js';
import type { SnapshotContent } from './snapshot-content.js';

/** Two meta pages and the list of free pages come first. */
const freelistPage = 2;
const firstTreePage = 3;
/** Of etcd's cluster: what a server makes of the data. The lowest that reads everything that is written here. */
export const clusterVersion = '3.4.0';

/** What the first pass finds out. */
export interface SnapshotSize {
  readonly root: number;
  readonly pageCount: number;
  /** Of the database, without the checksum that ends the file. */
  readonly databaseBytes: number;
}

type Row = readonly [key: Uint8Array, value: Uint8Array];

/** First pass. Gives null now and then: a moment to do something else. */
export function* measureSnapshot(content: SnapshotContent): Generator<null, SnapshotSize, undefined> {
  const numbers = new PageNumbers(firstTreePage);
  const pages = treePages(content, numbers);
  for (let next = pages.next(); ; next = pages.next()) {
    if (next.done === true) {
      const pageCount = numbers.count;
      return { root: next.value, pageCount, databaseBytes: pageCount * writtenPageBytes };
    }
    yield null;
  }
}

/** Second pass, over the same content: the bytes of the file in order. Null: a moment to do something else. */
export function* writeSnapshot(
  content: SnapshotContent,
  size: SnapshotSize,
): Generator<Buffer | null, undefined, undefined> {
  const hash = createHash('sha256');
  const numbers = new PageNumbers(firstTreePage);
  for (const page of headPages(size)) {
    hash.update(page);
    yield page;
  }
  const pages = treePages(content, numbers);
  for (let next = pages.next(); ; next = pages.next()) {
    if (next.done === true) {
      const same = next.value === size.root && numbers.count === size.pageCount;
      assert(same, 'Cannot write a snapshot: its content has changed since it was measured');
      break;
    }
    if (next.value !== null) hash.update(next.value);
    yield next.value;
  }
  yield hash.digest();
  return undefined;
}

function headPages({ root, pageCount }: SnapshotSize): readonly Buffer[] {
  const meta = (id: number): Buffer =>
    encodeMetaPage(id, { pageBytes: writtenPageBytes, root, pageCount, transaction: id + 1 }, freelistPage);
  const freelist = Buffer.alloc(writtenPageBytes);
  writePageHeader(freelist, { id: freelistPage, flags: pageFlags.freelist, count: 0, overflow: 0 });
  return [meta(0), meta(1), freelist];
}

/** Pages of all buckets, then of the bucket that names them; returns the number of its root. */
function* treePages(content: SnapshotContent, numbers: PageNumbers): Generator<Buffer | null, number, undefined> {
  const roots = new BucketWriter(numbers, bucketElement);
  for (const name of bucketNames) {
    const bucket = new BucketWriter(numbers);
    for (const row of rowsOf(name, content)) {
      if (row === null) yield null;
      else yield* bucket.add(row[0], row[1]);
    }
    const root = yield* bucket.finish();
    yield* roots.add(Buffer.from(name), encodeBucket(root));
  }
  return yield* roots.finish();
}

function rowsOf(name: BucketName, content: SnapshotContent): Iterable<Row | null> {
  switch (name) {
    case 'key':
      return versionRows(content);
    case 'lease':
      return leaseRows(content);
    case 'alarm':
      return inOrder(content.alarms.map((alarm) => [encodeAlarm(alarm), Buffer.alloc(0)]));
    case 'auth':
      return accessRows(content);
    case 'authRoles':
      return inOrder(content.roles.map((role) => [Buffer.from(role.name), encodeRole(role)]));
    case 'authUsers':
      return inOrder(content.users.map((user) => [Buffer.from(user.name), encodeUser(user)]));
    case 'cluster':
      return [[Buffer.from('clusterVersion'), Buffer.from(clusterVersion)]];
    case 'members':
      return inOrder(content.members.map((member) => [memberKey(member), encodeMember(member)]));
    case 'members_removed':
      return [];
    case 'meta':
      return metaRows(content);
  }
}

function* versionRows(content: SnapshotContent): Generator<Row | null, undefined, undefined> {
  const writer = new ProtoWriter(writtenPageBytes);
  let revision = 0 as Revision;
  let index = 0;
  for (const version of content.versions()) {
    if (version === null) {
      yield null;
      continue;
    }
    index = version.modRevision === revision ? index + 1 : 0;
    revision = version.modRevision;
    const key = encodeRevisionKey({ revision, index, deleted: version.record === null });
    yield [key, encodeVersion(writer, version)];
  }
  return undefined;
}

function* leaseRows(content: SnapshotContent): Generator<Row | null, undefined, undefined> {
  for (const lease of content.leases()) yield lease === null ? null : [encodeLeaseKey(lease.id), encodeLease(lease)];
  return undefined;
}

function accessRows({ facts }: SnapshotContent): readonly Row[] {
  return [
    [Buffer.from('authEnabled'), Buffer.from([facts.accessEnabled ? 1 : 0])],
    [Buffer.from('authRevision'), encodeUint64(facts.accessRevision)],
  ];
}

function metaRows({ facts, members }: SnapshotContent): readonly Row[] {
  const { compactedRevision, consistentIndex, term } = facts;
  const compacted = encodeRevisionKey({ revision: compactedRevision, index: 0, deleted: false });
  const rows: Row[] = [
    [Buffer.from('confState'), encodeConfState(members)],
    [Buffer.from('consistent_index'), encodeUint64(consistentIndex)],
    [Buffer.from('term'), encodeUint64(term)],
  ];
  if (compactedRevision > 0) {
    rows.push([Buffer.from('finishedCompactRev'), compacted], [Buffer.from('scheduledCompactRev'), compacted]);
  }
  return inOrder(rows);
}

function inOrder(rows: readonly Row[]): readonly Row[] {
  return [...rows].sort(([a], [b]) => Buffer.compare(a, b));
}
