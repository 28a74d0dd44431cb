// Commands and their results ↔ protobuf (protocol/command.proto): inside the peers' forward messages and inside the
// native client protocol. A command's unknown fields are refused: an option that is not understood must not be ignored.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { ErrorCode } from '../shared/errors.js';
import type { ClientId, Revision, Zxid } from '../shared/ids.js';
import type {
  Actor,
  Command,
  CommandEnvelope,
  CommandOutput,
  CommandResult,
  RequestIdentity,
} from '../tree/command.js';
import { readAccessChange, writeAccessChange } from './access-codec.js';
import { readAlarm, writeAlarm } from './alarm-codec.js';
import { leaseFields, readLeaseCommand, writeLeaseCommand } from './lease-codec.js';
import { readOutput, writeOutput } from './output-codec.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { readTransaction, transactionSizeHint, writeTransaction } from './transaction-codec.js';

/** The numbers of zabtree.command.ResultCode. Never renumber. */
const codeNumbers: Readonly<Record<CommandResult['code'], number>> = {
  OK: 0,
  KEY_EXISTS: 1,
  KEY_NOT_FOUND: 2,
  REVISION_MISMATCH: 3,
  COMPACTED: 4,
  FUTURE_REVISION: 5,
  INVALID_ARGUMENT: 6,
  TOO_LARGE: 7,
  OUTCOME_UNKNOWN: 8,
  NO_QUORUM: 9,
  TIMEOUT: 10,
  OVERLOADED: 11,
  NO_SPACE: 12,
  CORRUPT: 13,
  UNAVAILABLE: 14,
  UNSUPPORTED: 15,
  INTERNAL: 16,
  LEASE_NOT_FOUND: 17,
  LEASE_EXISTS: 18,
  LEASE_TTL_TOO_LARGE: 19,
  DUPLICATE_KEY: 20,
  TOO_MANY_OPERATIONS: 21,
  QUOTA_EXCEEDED: 22,
  UNAUTHENTICATED: 23,
  AUTHENTICATION_FAILED: 24,
  PERMISSION_DENIED: 25,
  ACCESS_CHANGED: 26,
  ACCESS_NOT_ENABLED: 27,
  ACCESS_INVALID_CHANGE: 28,
  USER_EXISTS: 29,
  USER_NOT_FOUND: 30,
  USER_NAME_EMPTY: 31,
  ROLE_EXISTS: 32,
  ROLE_NOT_FOUND: 33,
  ROLE_NAME_EMPTY: 34,
  ROLE_NOT_GRANTED: 35,
  PERMISSION_NOT_GRANTED: 36,
  PERMISSION_MISSING: 37,
  ROOT_USER_MISSING: 38,
  ROOT_ROLE_MISSING: 39,
};

const codesByNumber: readonly CommandResult['code'][] = (Object.keys(codeNumbers) as CommandResult['code'][]).sort(
  (a, b) => codeNumbers[a] - codeNumbers[b],
);

export function resultCodeNumber(code: 'OK' | ErrorCode): number {
  return codeNumbers[code];
}

/** undefined: a newer version may know this number. */
export function knownResultCode(number: number): 'OK' | ErrorCode | undefined {
  return codesByNumber[number];
}

/** A number that a newer version added reads as INTERNAL: the request failed, why is not known here. */
export function resultCodeOf(number: number): 'OK' | ErrorCode {
  return codesByNumber[number] ?? 'INTERNAL';
}

const accessField = 12;
/** Field number of zabtree.command.Command. */
const transactField = 6;

function writeCommand(writer: ProtoWriter, command: Command): void {
  switch (command.type) {
    case 'add': {
      const mark = writer.beginMessage(1);
      writer.bytesField(1, command.key);
      writer.bytesField(2, command.value);
      if (command.lease !== undefined) writer.sfixed64Field(3, command.lease);
      writer.endMessage(mark);
      return;
    }
    case 'set': {
      const mark = writer.beginMessage(2);
      writer.bytesField(1, command.key);
      writer.bytesField(2, command.value);
      if (command.expectedRevision !== undefined) writer.presentVarintField(3, command.expectedRevision);
      if (command.lease !== undefined) writer.sfixed64Field(4, command.lease);
      writer.endMessage(mark);
      return;
    }
    case 'delete': {
      const mark = writer.beginMessage(3);
      writer.bytesField(1, command.key);
      if (command.expectedRevision !== undefined) writer.presentVarintField(2, command.expectedRevision);
      writer.endMessage(mark);
      return;
    }
    case 'compact': {
      const mark = writer.beginMessage(4);
      writer.varintField(1, command.revision);
      writer.endMessage(mark);
      return;
    }
    case 'alarm': {
      const mark = writer.beginMessage(13);
      writeAlarm(writer, command);
      writer.endMessage(mark);
      return;
    }
    case 'checkpoint': {
      writer.endMessage(writer.beginMessage(5));
      return;
    }
    case 'access': {
      const mark = writer.beginMessage(accessField);
      writeAccessChange(writer, command.change);
      writer.endMessage(mark);
      return;
    }
    case 'transact': {
      const mark = writer.beginMessage(transactField, transactionSizeHint(command.transaction));
      writeTransaction(writer, command.transaction);
      writer.endMessage(mark);
      return;
    }
    default:
      writeLeaseCommand(writer, command);
  }
}

/** Writes the fields of zabtree.command.CommandEnvelope. */
export function writeCommandEnvelope(writer: ProtoWriter, envelope: CommandEnvelope): void {
  const { command } = envelope;
  const mark = writer.beginMessage(1, command.type === 'transact' ? transactionSizeHint(command.transaction) : 0);
  writeCommand(writer, command);
  writer.endMessage(mark);
  if (envelope.identity !== undefined) writeIdentity(writer, envelope.identity);
  if (envelope.actor !== undefined) writeActor(writer, envelope.actor);
}

/** As field 2 of the message around it. */
export function writeIdentity(writer: ProtoWriter, identity: RequestIdentity): void {
  const identityMark = writer.beginMessage(2);
  writer.varintField(1, identity.client);
  writer.varintField(2, identity.request);
  writer.varintField(3, identity.acknowledgedBelow);
  writer.varintField(4, identity.bornAt);
  writer.varintField(5, identity.repeated ? 1 : 0);
  writer.endMessage(identityMark);
}

function writeActor(writer: ProtoWriter, { user, accessRevision }: Actor): void {
  const mark = writer.beginMessage(3);
  writer.stringField(1, user);
  writer.varintField(2, accessRevision);
  writer.endMessage(mark);
}

/** Writes the fields of zabtree.command.CommandResult. */
export function writeCommandResult(writer: ProtoWriter, result: CommandResult): void {
  writer.varintField(1, codeNumbers[result.code]);
  writer.stringField(2, result.message);
  writer.varintField(3, result.revision);
  writer.varintField(4, result.zxid);
  if (result.output === undefined) return;
  const mark = writer.beginMessage(5);
  writeOutput(writer, result.output);
  writer.endMessage(mark);
}

/** Reads up to the end of the reader's current message. */
export function readCommandEnvelope(reader: ProtoReader): CommandEnvelope {
  let command: Command | undefined;
  let identity: RequestIdentity | undefined;
  let actor: Actor | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    const outer = reader.enterMessage();
    if (field === 1) command = readCommand(reader);
    else if (field === 2) identity = readIdentity(reader);
    else if (field === 3) actor = readActor(reader);
    else throw new WireError(`Cannot decode a command envelope: unknown field ${field}`);
    reader.leaveMessage(outer);
  }
  if (command === undefined) throw new WireError('Cannot decode a command envelope: it has no command');
  if (actor === undefined) return identity === undefined ? { command } : { command, identity };
  return identity === undefined ? { command, actor } : { command, identity, actor };
}

function readActor(reader: ProtoReader): Actor {
  let user = '';
  let accessRevision = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) user = reader.string();
    else if (field === 2) accessRevision = reader.varint();
    else throw new WireError(`Cannot decode an actor: unknown field ${field}`);
  }
  return { user, accessRevision };
}

function readCommand(reader: ProtoReader): Command {
  const field = reader.nextField();
  if (field === 0) throw new WireError('Cannot decode a command: it is empty');
  const outer = reader.enterMessage();
  const command: Command =
    field === accessField ? { type: 'access', change: readAccessChange(reader) } : readCommandBody(reader, field);
  reader.leaveMessage(outer);
  if (reader.nextField() !== 0) throw new WireError('Cannot decode a command: more than one');
  return command;
}

function readCommandBody(reader: ProtoReader, type: number): Command {
  if (type === transactField) return { type: 'transact', transaction: readTransaction(reader) };
  if (type >= leaseFields.leaseGrant && type <= leaseFields.leaseCheckpoint) return readLeaseCommand(reader, type);
  if (type === 13) return readAlarm(reader);
  let key = emptyBytes;
  let value = emptyBytes;
  let revision = 0 as Revision;
  let expected: Revision | undefined;
  let lease = 0n;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1 && type <= 3) key = reader.bytesView();
    else if (field === 2 && type <= 2) value = reader.bytesView();
    else if ((field === 3 && type === 2) || (field === 2 && type === 3)) expected = reader.varint() as Revision;
    else if ((field === 3 && type === 1) || (field === 4 && type === 2)) lease = reader.sfixed64();
    else if (field === 1 && type === 4) revision = reader.varint() as Revision;
    else throw new WireError(`Cannot decode command ${type}: unknown field ${field}`);
  }
  switch (type) {
    case 1:
      return lease === 0n ? { type: 'add', key, value } : { type: 'add', key, value, lease };
    case 2:
      return setOf(key, value, expected, lease);
    case 3:
      return expected === undefined ? { type: 'delete', key } : { type: 'delete', key, expectedRevision: expected };
    case 4:
      return { type: 'compact', revision };
    case 5:
      return { type: 'checkpoint' };
    default:
      throw new WireError(`Cannot decode a command: type ${type} is not known here`);
  }
}

function setOf(key: Bytes, value: Bytes, expectedRevision: Revision | undefined, lease: bigint): Command {
  if (lease === 0n) {
    return expectedRevision === undefined ? { type: 'set', key, value } : { type: 'set', key, value, expectedRevision };
  }
  return expectedRevision === undefined
    ? { type: 'set', key, value, lease }
    : { type: 'set', key, value, expectedRevision, lease };
}

export function readIdentity(reader: ProtoReader): RequestIdentity {
  let client = 0;
  let request = 0;
  let acknowledgedBelow = 0;
  let bornAt = 0;
  let repeated = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) client = reader.varint();
    else if (field === 2) request = reader.varint();
    else if (field === 3) acknowledgedBelow = reader.varint();
    else if (field === 4) bornAt = reader.varint();
    else if (field === 5) repeated = reader.varint() !== 0;
    else throw new WireError(`Cannot decode a request identity: unknown field ${field}`);
  }
  if (client === 0 || request === 0) throw new WireError('Cannot decode a request identity: client or request is 0');
  return { client: client as ClientId, request, acknowledgedBelow, bornAt: bornAt as Zxid, repeated };
}

/** Reads up to the end of the reader's current message. */
export function readCommandResult(reader: ProtoReader): CommandResult {
  let code: CommandResult['code'] = 'OK';
  let message = '';
  let revision = 0 as Revision;
  let zxid = 0 as Zxid;
  let output: CommandOutput | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) code = resultCodeOf(reader.varint());
    else if (field === 2) message = reader.string();
    else if (field === 3) revision = reader.varint() as Revision;
    else if (field === 4) zxid = reader.varint() as Zxid;
    else if (field === 5) {
      const outer = reader.enterMessage();
      output = readOutput(reader);
      reader.leaveMessage(outer);
    } else reader.skip();
  }
  return output === undefined ? { code, message, revision, zxid } : { code, message, revision, zxid, output };
}
