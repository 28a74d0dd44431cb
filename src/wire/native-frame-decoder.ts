// Frames of the native protocol from server to client ← protobuf bytes, for clients. Records and events are decoded by
// hand, the other payloads by generated code. Bytes of a decoded frame are views into the input: copy them to keep them.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { Revision, ServerId, Zxid } from '../shared/ids.js';
import { resultCodeOf } from './command-codec.js';
import { zabtree } from './generated/protocol.js';
import { bytesOf, decodeGenerated } from './generated-codec.js';
import { revisionField, safeInteger, zxidField } from './id-fields.js';
import { readAccessAnswer } from './native-access-codec.js';
import { accessField, leasesField, outputField, payloadFields, roles, snapshotField } from './native-frame-encoder.js';
import { readLeaseList } from './native-lease-codec.js';
import type { KeyRecord, NativeDigest, NativeEvent, NativeFrame, NativePayload } from './native-messages.js';
import { readOutput } from './output-codec.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import { WireError } from './protobuf/wire-error.js';

/** Reads the body of a frame. Throws WireError for anything that is none. A payload of an unknown kind reads as none. */
export function readFrame(reader: ProtoReader): NativeFrame {
  let id = 0;
  let code: NativeFrame['code'] = 'OK';
  let message = '';
  let zxid = 0;
  let revision = 0;
  let payload: NativePayload = { type: 'none' };
  let output: NativeFrame['output'];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) id = reader.varint();
    else if (field === 2) code = resultCodeOf(reader.varint());
    else if (field === 3) message = reader.string();
    else if (field === 4) zxid = reader.varint();
    else if (field === 5) revision = reader.varint();
    else if (field <= payloadFields.broadcast) {
      const outer = reader.enterMessage();
      payload = readPayload(reader, field);
      reader.leaveMessage(outer);
    } else if (field === outputField) {
      const outer = reader.enterMessage();
      output = readOutput(reader);
      reader.leaveMessage(outer);
    } else if (field === accessField) {
      const outer = reader.enterMessage();
      payload = { type: 'access', ...readAccessAnswer(reader) };
      reader.leaveMessage(outer);
    } else if (field === leasesField) {
      const outer = reader.enterMessage();
      payload = { type: 'leases', ids: readLeaseList(reader) };
      reader.leaveMessage(outer);
    } else if (field === snapshotField) {
      const outer = reader.enterMessage();
      payload = readSnapshotPart(reader);
      reader.leaveMessage(outer);
    } else reader.skip();
  }
  const frame = { id, code, message, zxid: zxid as Zxid, revision: revision as Revision, payload };
  return output === undefined ? frame : { ...frame, output };
}

function readSnapshotPart(reader: ProtoReader): NativePayload {
  let snapshot = 0;
  let bytes = emptyBytes;
  let last = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) snapshot = reader.varint();
    else if (field === 2) bytes = reader.bytesView();
    else if (field === 3) last = reader.bool();
    else reader.skip();
  }
  return { type: 'snapshot', snapshot, bytes, last };
}

function readPayload(reader: ProtoReader, field: number): NativePayload {
  switch (field) {
    case payloadFields.record:
      return { type: 'record', record: readRecordFields(reader) };
    case payloadFields.list:
      return readList(reader);
    case payloadFields.watchEvents:
      return readEvents(reader);
    case payloadFields.watchInitial:
      return readInitial(reader);
    default:
      return readColdPayload(reader.rest(), field);
  }
}

function readColdPayload(body: Bytes, field: number): NativePayload {
  const { native } = zabtree;
  switch (field) {
    case payloadFields.hello:
      return readHello(body);
    case payloadFields.status:
      return readStatus(body);
    case payloadFields.digest:
      return { type: 'digest', digest: digestOf(decodeGenerated(native.Digest, 'a digest', body)) };
    case payloadFields.digestAll: {
      const { digests } = decodeGenerated(native.DigestAll, 'digests', body);
      return { type: 'digestAll', digests: digests.map(digestOf) };
    }
    case payloadFields.watchEnded:
      decodeGenerated(native.WatchEnded, 'a watchEnded', body);
      return { type: 'watchEnded' };
    case payloadFields.broadcast: {
      const { payload } = decodeGenerated(native.BroadcastMessage, 'a broadcast', body);
      return { type: 'broadcast', payload: bytesOf(payload) };
    }
    default:
      throw new WireError(`Cannot decode a frame: payload ${field} is not known here`);
  }
}

function readHello(body: Bytes): NativePayload {
  const hello = decodeGenerated(zabtree.native.Hello, 'a hello', body);
  return {
    type: 'hello',
    protocolVersion: hello.protocolVersion,
    serverId: safeInteger(hello.serverId) as ServerId,
    frameBytesMax: hello.frameBytesMax,
    keyBytesMax: hello.keyBytesMax,
    valueBytesMax: hello.valueBytesMax,
    requestsInFlightMax: hello.requestsInFlightMax,
  };
}

function readStatus(body: Bytes): NativePayload {
  const status = decodeGenerated(zabtree.native.Status, 'a status', body);
  return {
    type: 'status',
    status: {
      id: safeInteger(status.id) as ServerId,
      ensembleId: status.ensembleId,
      role: roles[status.role] ?? 'looking',
      epoch: status.epoch,
      leader: safeInteger(status.leader),
      serving: status.serving,
      compactedRevision: revisionField(status.compactedRevision),
      members: status.members.map(({ id, electionAddr, messageAddr, requestAddr }) => ({
        id: safeInteger(id) as ServerId,
        electionAddr: electionAddr ?? '',
        messageAddr: messageAddr ?? '',
        requestAddr: requestAddr ?? '',
      })),
    },
  };
}

function digestOf({ id, zxid, revision, digest }: zabtree.native.Digest.$Properties): NativeDigest {
  return {
    id: safeInteger(id) as ServerId,
    zxid: zxidField(zxid),
    revision: revisionField(revision),
    digest: digest ?? '',
  };
}

function readList(reader: ProtoReader): NativePayload {
  const records: KeyRecord[] = [];
  let next = emptyBytes;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) records.push(readRecord(reader));
    else if (field === 2) next = reader.bytesView();
    else reader.skip();
  }
  return { type: 'list', records, next };
}

function readInitial(reader: ProtoReader): NativePayload {
  const records: KeyRecord[] = [];
  let last = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) records.push(readRecord(reader));
    else if (field === 2) last = reader.bool();
    else reader.skip();
  }
  return { type: 'watchInitial', records, last };
}

function readRecord(reader: ProtoReader): KeyRecord {
  const outer = reader.enterMessage();
  const record = readRecordFields(reader);
  reader.leaveMessage(outer);
  return record;
}

function readRecordFields(reader: ProtoReader): KeyRecord {
  let key = emptyBytes;
  let value = emptyBytes;
  let createRevision = 0;
  let modRevision = 0;
  let version = 0;
  let lease = 0n;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) value = reader.bytesView();
    else if (field === 3) createRevision = reader.varint();
    else if (field === 4) modRevision = reader.varint();
    else if (field === 5) version = reader.varint();
    else if (field === 6) lease = BigInt.asIntN(64, reader.bigint());
    else reader.skip();
  }
  return {
    key,
    value,
    createRevision: createRevision as Revision,
    modRevision: modRevision as Revision,
    version,
    lease,
  };
}

function readEvents(reader: ProtoReader): NativePayload {
  const events: NativeEvent[] = [];
  let more = false;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) {
      const outer = reader.enterMessage();
      events.push(readEvent(reader));
      reader.leaveMessage(outer);
    } else if (field === 2) more = reader.bool();
    else reader.skip();
  }
  return { type: 'watchEvents', events, more };
}

function readEvent(reader: ProtoReader): NativeEvent {
  let deleted = false;
  let record: KeyRecord | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) deleted = reader.varint() === 1;
    else if (field === 2) record = readRecord(reader);
    else reader.skip();
  }
  if (record === undefined) throw new WireError('Cannot decode a watch event: it has no record');
  const { key, modRevision } = record;
  return { type: deleted ? 'delete' : 'put', key, modRevision, record: deleted ? undefined : record };
}
