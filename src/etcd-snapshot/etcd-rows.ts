// Rows of etcd's buckets as bytes: revisions of keys, leases, alarms, users, roles, members. Encodes what etcd 3.4 and later
// read and decodes what they write; the values are etcd's protobuf messages. Knows no page.

import type { Bytes } from '../shared/bytes.js';
import type { Revision } from '../shared/ids.js';
import type { KeyRecord } from '../tree/store.js';
import { ProtoReader } from '../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../wire/protobuf/proto-writer.js';
import { WireError } from '../wire/protobuf/wire-error.js';
import type {
  SnapshotAlarm,
  SnapshotLease,
  SnapshotMember,
  SnapshotPermission,
  SnapshotPermissionType,
  SnapshotRole,
  SnapshotUser,
  SnapshotVersion,
} from './snapshot-content.js';
import { SnapshotFileError } from './snapshot-file-error.js';

/** etcd's buckets, in the order of their names, as a file holds them. */
export const bucketNames = [
  'alarm',
  'auth',
  'authRoles',
  'authUsers',
  'cluster',
  'key',
  'lease',
  'members',
  'members_removed',
  'meta',
] as const;
export type BucketName = (typeof bucketNames)[number];

const revisionKeyBytes = 17;
/** Between the revision and the place inside it, and behind the key of a deletion. */
const separator = 0x5f;
const tombstone = 0x74;
const permissionTypes: readonly SnapshotPermissionType[] = ['read', 'write', 'readwrite'];

export interface RevisionKey {
  readonly revision: Revision;
  /** Which change of the revision, from 0. */
  readonly index: number;
  readonly deleted: boolean;
}

export function encodeRevisionKey({ revision, index, deleted }: RevisionKey): Buffer {
  const key = Buffer.allocUnsafe(deleted ? revisionKeyBytes + 1 : revisionKeyBytes);
  writeUint64BE(key, revision, 0);
  key[8] = separator;
  writeUint64BE(key, index, 9);
  if (deleted) key[revisionKeyBytes] = tombstone;
  return key;
}

export function decodeRevisionKey(key: Buffer): RevisionKey {
  const deleted = key.length === revisionKeyBytes + 1 && key[revisionKeyBytes] === tombstone;
  if ((key.length !== revisionKeyBytes && !deleted) || key[8] !== separator)
    throw new SnapshotFileError('a key of the bucket "key" is no revision');
  return {
    revision: readUint64BE(key, 0, 'a revision') as Revision,
    index: readUint64BE(key, 9, 'a revision'),
    deleted,
  };
}

/** A number as etcd keeps it outside of messages: 8 bytes, high first. */
export function encodeUint64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  writeUint64BE(bytes, value, 0);
  return bytes;
}

export function decodeUint64(bytes: Buffer, what: string): number {
  if (bytes.length !== 8) throw new SnapshotFileError(`${what} has ${bytes.length} bytes, expected 8`);
  return readUint64BE(bytes, 0, what);
}

function readUint64BE(bytes: Buffer, offset: number, what: string): number {
  const value = bytes.readUInt32BE(offset) * 2 ** 32 + bytes.readUInt32BE(offset + 4);
  if (!Number.isSafeInteger(value)) throw new SnapshotFileError(`${what} is past 2^53`);
  return value;
}

/** mvccpb.KeyValue; of a deletion only the key. Valid until the writer is used again. */
export function encodeVersion(writer: ProtoWriter, { key, record }: SnapshotVersion): Bytes {
  writer.position = 0;
  writer.bytesField(1, key);
  if (record !== null) {
    writer.varintField(2, record.createRevision);
    writer.varintField(3, record.modRevision);
    writer.varintField(4, record.version);
    writer.bytesField(5, record.value);
    writer.bigintField(6, record.lease);
  }
  return writer.written();
}

/** The bytes are views into the row. */
export function decodeVersion({ revision, deleted }: RevisionKey, value: Bytes): SnapshotVersion {
  const record = decodeKeyValue(value);
  if (record.key.length === 0) throw new SnapshotFileError(`revision ${revision} has an empty key`);
  if (deleted) return { key: record.key, modRevision: revision, record: null };
  const sound =
    record.modRevision === revision &&
    record.createRevision > 0 &&
    record.createRevision <= revision &&
    record.version > 0 &&
    record.version <= revision;
  if (!sound) throw new SnapshotFileError(`the record of revision ${revision} contradicts itself`);
  return { key: record.key, modRevision: revision, record };
}

function decodeKeyValue(value: Bytes): KeyRecord {
  return decoded('a record', value, (reader) => {
    const record = {
      key: value.subarray(0, 0),
      value: value.subarray(0, 0),
      createRevision: 0 as Revision,
      modRevision: 0 as Revision,
      version: 0,
      lease: 0n,
    };
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field === 1) record.key = reader.bytesView();
      else if (field === 2) record.createRevision = reader.varint() as Revision;
      else if (field === 3) record.modRevision = reader.varint() as Revision;
      else if (field === 4) record.version = reader.varint();
      else if (field === 5) record.value = reader.bytesView();
      else if (field === 6) record.lease = BigInt.asIntN(64, reader.bigint());
      else reader.skip();
    }
    return record;
  });
}

export function encodeLeaseKey(id: bigint): Buffer {
  const key = Buffer.allocUnsafe(8);
  key.writeBigUInt64BE(BigInt.asUintN(64, id));
  return key;
}

/** leasepb.Lease. */
export function encodeLease({ id, ttlSeconds, remainingSeconds }: SnapshotLease): Bytes {
  const writer = new ProtoWriter(32);
  writer.bigintField(1, id);
  writer.varintField(2, ttlSeconds);
  writer.varintField(3, remainingSeconds);
  return writer.written();
}

export function decodeLease(value: Bytes): SnapshotLease {
  const lease = decoded('a lease', value, (reader) => {
    let id = 0n;
    let ttlSeconds = 0;
    let remainingSeconds = 0;
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field === 1) id = BigInt.asIntN(64, reader.bigint());
      else if (field === 2) ttlSeconds = reader.varint();
      else if (field === 3) remainingSeconds = reader.varint();
      else reader.skip();
    }
    return { id, ttlSeconds, remainingSeconds };
  });
  if (lease.id === 0n) throw new SnapshotFileError('a lease has the id 0');
  return lease;
}

/** etcdserverpb.AlarmMember: a key without a value. */
export function encodeAlarm({ member, type }: SnapshotAlarm): Bytes {
  const writer = new ProtoWriter(16);
  writer.bigintField(1, member);
  writer.varintField(2, type);
  return writer.written();
}

export function decodeAlarm(key: Bytes): SnapshotAlarm {
  return decoded('an alarm', key, (reader) => {
    let member = 0n;
    let type = 0;
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field === 1) member = reader.bigint();
      else if (field === 2) type = reader.varint();
      else reader.skip();
    }
    return { member, type };
  });
}

/** authpb.User. */
export function encodeUser({ name, passwordHash, roles, noPassword }: SnapshotUser): Bytes {
  const writer = new ProtoWriter(128);
  writer.stringField(1, name);
  writer.bytesField(2, passwordHash);
  for (const role of roles) writer.presentBytesField(3, Buffer.from(role));
  const options = writer.beginMessage(4);
  writer.boolField(1, noPassword);
  writer.endMessage(options);
  return writer.written();
}

export function decodeUser(value: Bytes): SnapshotUser {
  return decoded('a user', value, (reader) => {
    let name = '';
    let passwordHash: Bytes = value.subarray(0, 0);
    const roles: string[] = [];
    let noPassword = false;
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field === 1) name = reader.string();
      else if (field === 2) passwordHash = reader.bytesView();
      else if (field === 3) roles.push(reader.string());
      else if (field === 4) noPassword = decodeUserOptions(reader);
      else reader.skip();
    }
    if (name === '') throw new SnapshotFileError('a user has no name');
    return { name, passwordHash, roles, noPassword };
  });
}

function decodeUserOptions(reader: ProtoReader): boolean {
  const outer = reader.enterMessage();
  let noPassword = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) noPassword = reader.bool();
    else reader.skip();
  }
  reader.leaveMessage(outer);
  return noPassword;
}

/** authpb.Role. */
export function encodeRole({ name, permissions }: SnapshotRole): Bytes {
  const writer = new ProtoWriter(128);
  writer.stringField(1, name);
  for (const { type, key, rangeEnd } of permissions) {
    const permission = writer.beginMessage(2);
    writer.varintField(1, permissionTypes.indexOf(type));
    writer.bytesField(2, key);
    writer.bytesField(3, rangeEnd);
    writer.endMessage(permission);
  }
  return writer.written();
}

export function decodeRole(value: Bytes): SnapshotRole {
  return decoded('a role', value, (reader) => {
    let name = '';
    const permissions: SnapshotPermission[] = [];
    for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
      if (field === 1) name = reader.string();
      else if (field === 2) permissions.push(decodePermission(reader));
      else reader.skip();
    }
    if (name === '') throw new SnapshotFileError('a role has no name');
    return { name, permissions };
  });
}

function decodePermission(reader: ProtoReader): SnapshotPermission {
  const outer = reader.enterMessage();
  let number = 0;
  let key: Bytes = new Uint8Array(0);
  let rangeEnd: Bytes = new Uint8Array(0);
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) number = reader.varint();
    else if (field === 2) key = reader.bytesView();
    else if (field === 3) rangeEnd = reader.bytesView();
    else reader.skip();
  }
  reader.leaveMessage(outer);
  const type = permissionTypes[number];
  if (type === undefined) throw new SnapshotFileError(`a permission is of the unknown type ${number}`);
  return { type, key, rangeEnd };
}

/** What etcd calls a member where it is text. */
export function memberKey({ id }: SnapshotMember): Buffer {
  return Buffer.from(id.toString(16));
}

/** JSON, with an id that no number of this language holds. */
export function encodeMember({ id, name, peerUrls, clientUrls }: SnapshotMember): Buffer {
  const rest = JSON.stringify({ peerURLs: peerUrls, name, clientURLs: clientUrls });
  return Buffer.from(`{"id":${id},${rest.slice(1)}`);
}

/** raftpb.ConfState as etcd 3.5 and later want to find it. */
export function encodeConfState(members: readonly SnapshotMember[]): Buffer {
  return Buffer.from(`{"voters":[${members.map(({ id }) => id).join(',')}],"auto_leave":false}`);
}

function decoded<Value>(what: string, bytes: Bytes, decode: (reader: ProtoReader) => Value): Value {
  try {
    return decode(new ProtoReader(bytes));
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new SnapshotFileError(`${what} in it cannot be understood: ${cause.message}`, { cause });
  }
}

function writeUint64BE(target: Buffer, value: number, offset: number): void {
  const low = value >>> 0;
  target.writeUInt32BE((value - low) / 2 ** 32, offset);
  target.writeUInt32BE(low, offset + 4);
}
