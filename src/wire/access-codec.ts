// Changes of access control ↔ protobuf (zabtree.command.Access), inside a command. As with every command, unknown fields
// are refused. What is secret travels between peers in the clear, as their links do.

import { emptyBytes } from '../shared/bytes.js';
import { Secret } from '../shared/secret.js';
import type { AccessChange } from '../tree/access/access-change.js';
import type { KeyPermission, PermissionType } from '../tree/access/access-records.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

/** Field numbers of the changes. Never renumber. */
const changes = {
  enable: 1,
  disable: 2,
  userAdd: 3,
  userDelete: 4,
  userChangePassword: 5,
  userGrantRole: 6,
  userRevokeRole: 7,
  roleAdd: 8,
  roleDelete: 9,
  roleGrantPermission: 10,
  roleRevokePermission: 11,
} as const satisfies Record<AccessChange['type'], number>;

const permissionNumbers: Readonly<Record<PermissionType, number>> = { read: 0, write: 1, readwrite: 2 };
const permissionTypes: readonly PermissionType[] = ['read', 'write', 'readwrite'];

/** Writes the fields of zabtree.command.Access. */
export function writeAccessChange(writer: ProtoWriter, change: AccessChange): void {
  const mark = writer.beginMessage(changes[change.type]);
  switch (change.type) {
    case 'enable':
      writer.bytesField(1, change.tokenSecret.reveal());
      break;
    case 'disable':
      break;
    case 'userAdd':
      writer.stringField(1, change.user);
      writer.bytesField(2, change.password.reveal());
      writer.boolField(3, change.noPassword);
      break;
    case 'userDelete':
      writer.stringField(1, change.user);
      break;
    case 'userChangePassword':
      writer.stringField(1, change.user);
      writer.bytesField(2, change.password.reveal());
      break;
    case 'userGrantRole':
    case 'userRevokeRole':
      writer.stringField(1, change.user);
      writer.stringField(2, change.role);
      break;
    case 'roleAdd':
    case 'roleDelete':
      writer.stringField(1, change.role);
      break;
    case 'roleGrantPermission':
      writer.stringField(1, change.role);
      if (change.permission !== undefined) writePermission(writer, 2, change.permission);
      break;
    case 'roleRevokePermission':
      writer.stringField(1, change.role);
      writer.bytesField(2, change.key);
      writer.bytesField(3, change.rangeEnd);
      break;
  }
  writer.endMessage(mark);
}

/** Reads up to the end of the reader's current message. */
export function readAccessChange(reader: ProtoReader): AccessChange {
  const number = reader.nextField();
  if (number === 0) throw new WireError('Cannot decode a change of access control: it is empty');
  const outer = reader.enterMessage();
  const change = changeOf(number, readFields(reader, number));
  reader.leaveMessage(outer);
  if (reader.nextField() !== 0) throw new WireError('Cannot decode a change of access control: more than one');
  return change;
}

interface Fields {
  first: string;
  second: string;
  bytes: Uint8Array;
  moreBytes: Uint8Array;
  flag: boolean;
  permission: KeyPermission | undefined;
}

/** Field 1 is a name, but for `enable`; what 2 and 3 are depends on the change. */
function readFields(reader: ProtoReader, change: number): Fields {
  const fields: Fields = {
    first: '',
    second: '',
    bytes: emptyBytes,
    moreBytes: emptyBytes,
    flag: false,
    permission: undefined,
  };
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (change === changes.enable && field === 1) fields.bytes = reader.bytesView();
    else if (change === changes.enable || change === changes.disable) throw unknownField(change, field);
    else if (field === 1) fields.first = reader.string();
    else if (field === 2) readSecondField(reader, change, fields);
    else if (field === 3 && change === changes.userAdd) fields.flag = reader.bool();
    else if (field === 3 && change === changes.roleRevokePermission) fields.moreBytes = reader.bytesView();
    else throw unknownField(change, field);
  }
  return fields;
}

function readSecondField(reader: ProtoReader, change: number, fields: Fields): void {
  switch (change) {
    case changes.userAdd:
    case changes.userChangePassword:
    case changes.roleRevokePermission:
      fields.bytes = reader.bytesView();
      return;
    case changes.userGrantRole:
    case changes.userRevokeRole:
      fields.second = reader.string();
      return;
    case changes.roleGrantPermission:
      fields.permission = readPermission(reader);
      return;
    default:
      throw unknownField(change, 2);
  }
}

function changeOf(number: number, fields: Fields): AccessChange {
  const { first, second, bytes, moreBytes, flag, permission } = fields;
  switch (number) {
    case changes.enable:
      return { type: 'enable', tokenSecret: secretOf(bytes) };
    case changes.disable:
      return { type: 'disable' };
    case changes.userAdd:
      return { type: 'userAdd', user: first, password: secretOf(bytes), noPassword: flag };
    case changes.userDelete:
      return { type: 'userDelete', user: first };
    case changes.userChangePassword:
      return { type: 'userChangePassword', user: first, password: secretOf(bytes) };
    case changes.userGrantRole:
      return { type: 'userGrantRole', user: first, role: second };
    case changes.userRevokeRole:
      return { type: 'userRevokeRole', user: first, role: second };
    case changes.roleAdd:
      return { type: 'roleAdd', role: first };
    case changes.roleDelete:
      return { type: 'roleDelete', role: first };
    case changes.roleGrantPermission:
      return { type: 'roleGrantPermission', role: first, ...(permission === undefined ? {} : { permission }) };
    case changes.roleRevokePermission:
      return { type: 'roleRevokePermission', role: first, key: bytes, rangeEnd: moreBytes };
    default:
      throw new WireError(`Cannot decode a change of access control: type ${number} is not known here`);
  }
}

export function writePermission(writer: ProtoWriter, field: number, { type, key, rangeEnd }: KeyPermission): void {
  const mark = writer.beginMessage(field);
  writer.varintField(1, permissionNumbers[type]);
  writer.bytesField(2, key);
  writer.bytesField(3, rangeEnd);
  writer.endMessage(mark);
}

export function readPermission(reader: ProtoReader): KeyPermission {
  let type: PermissionType | undefined = 'read';
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  const outer = reader.enterMessage();
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) type = permissionTypes[reader.varint()];
    else if (field === 2) key = reader.bytesView();
    else if (field === 3) rangeEnd = reader.bytesView();
    else throw unknownField(changes.roleGrantPermission, field);
  }
  reader.leaveMessage(outer);
  if (type === undefined) throw new WireError('Cannot decode a permission: its type is not known here');
  return { type, key, rangeEnd };
}

/** A copy: a secret may be kept longer than the message. */
function secretOf(bytes: Uint8Array): Secret {
  return new Secret(new Uint8Array(bytes));
}

function unknownField(change: number, field: number): WireError {
  return new WireError(`Cannot decode change ${change} of access control: unknown field ${field}`);
}
