// What the native protocol says of access control ↔ protobuf: changes, questions, answers. By hand, because lists of names
// may be long. In changes unknown fields are refused, as in every command. No error of these repeats a password.

import type { AccessChange } from '../tree/access/access-change.js';
import type { KeyPermission } from '../tree/access/access-records.js';
import type { RequestIdentity } from '../tree/command.js';
import { readAccessChange, readPermission, writeAccessChange, writePermission } from './access-codec.js';
import { readIdentity, writeIdentity } from './command-codec.js';
import type { AccessAnswer, AccessQuestion, NativeRequestBody } from './native-messages.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { utf8Encode } from './protobuf/utf8.js';
import { WireError } from './protobuf/wire-error.js';

type ChangeAccess = Extract<NativeRequestBody, { readonly type: 'changeAccess' }>;

/** Writes the fields of zabtree.native.ChangeAccess. */
export function writeChangeAccess(writer: ProtoWriter, { change, identity }: ChangeAccess): void {
  const mark = writer.beginMessage(1);
  writeAccessChange(writer, change);
  writer.endMessage(mark);
  if (identity !== undefined) writeIdentity(writer, identity);
}

/** Reads up to the end of the reader's current message. */
export function readChangeAccess(reader: ProtoReader): ChangeAccess {
  let change: AccessChange | undefined;
  let identity: RequestIdentity | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    const outer = reader.enterMessage();
    if (field === 1) change = readAccessChange(reader);
    else if (field === 2) identity = readIdentity(reader);
    else throw new WireError(`Cannot decode a change of access control: unknown field ${field}`);
    reader.leaveMessage(outer);
  }
  if (change === undefined) throw new WireError('Cannot decode a change of access control: there is none');
  if (change.type === 'enable' && change.tokenSecret.byteLength > 0) {
    throw new WireError('Cannot decode a change of access control: the secret of tokens is not chosen by clients');
  }
  return { type: 'changeAccess', change, identity };
}

const questions = { status: 1, users: 2, roles: 3, rolesOfUser: 4, permissionsOfRole: 5 } as const satisfies Record<
  AccessQuestion['type'],
  number
>;

/** Writes the fields of zabtree.native.AskAccess. */
export function writeAccessQuestion(writer: ProtoWriter, question: AccessQuestion): void {
  const field = questions[question.type];
  if ('name' in question) writer.presentBytesField(field, utf8Encode(question.name));
  else writer.boolField(field, true);
}

/** Reads up to the end of the reader's current message. The last question counts. */
export function readAccessQuestion(reader: ProtoReader): AccessQuestion {
  let question: AccessQuestion | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === questions.rolesOfUser) question = { type: 'rolesOfUser', name: reader.string() };
    else if (field === questions.permissionsOfRole) question = { type: 'permissionsOfRole', name: reader.string() };
    else if (field <= questions.roles) {
      reader.bool();
      question = { type: field === questions.status ? 'status' : field === questions.users ? 'users' : 'roles' };
    } else reader.skip();
  }
  if (question === undefined) throw new WireError('Cannot decode a question about access control: there is none');
  return question;
}

/** Writes the fields of zabtree.native.AccessAnswer. */
export function writeAccessAnswer(writer: ProtoWriter, answer: AccessAnswer): void {
  writer.boolField(1, answer.enabled);
  writer.varintField(2, answer.accessRevision);
  for (const name of answer.names) writer.presentBytesField(3, utf8Encode(name));
  for (const permission of answer.permissions) writePermission(writer, 4, permission);
}

/** Reads up to the end of the reader's current message. */
export function readAccessAnswer(reader: ProtoReader): AccessAnswer {
  let enabled = false;
  let accessRevision = 0;
  const names: string[] = [];
  const permissions: KeyPermission[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) enabled = reader.bool();
    else if (field === 2) accessRevision = reader.varint();
    else if (field === 3) names.push(reader.string());
    else if (field === 4) permissions.push(readPermission(reader));
    else reader.skip();
  }
  return { enabled, accessRevision, names, permissions };
}
