// Messages of the bulk channel ↔ frames (zabtree.peer.BulkFrame). Forwarded requests, their results and snapshot chunks
// are coded by hand, the rest by generated code. A snapshot chunk and a broadcast's payload are sent as chunks of their
// own, uncopied; decoded bytes share the frame's memory.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { GroupId } from '../shared/ids.js';
import type { CommandEnvelope, CommandResult } from '../tree/command.js';
import type { BulkMessage } from './bulk-messages.js';
import {
  readCommandEnvelope,
  readCommandResult,
  resultCodeNumber,
  resultCodeOf,
  writeCommandEnvelope,
  writeCommandResult,
} from './command-codec.js';
import { ensembleIdFromBytes, ensembleIdToBytes } from './ensemble-id-bytes.js';
import { type Framed, readFrame, writeFrameHeader } from './frame-header.js';
import { zabtree } from './generated/protocol.js';
import { bytesOf, decodeGenerated, encodeGenerated } from './generated-codec.js';
import { revisionField, safeInteger, serverIdField, zxidField } from './id-fields.js';
import { ProtoReader } from './protobuf/proto-reader.js';
import { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';
import { protocolVersion } from './protocol-version.js';

type Message<Type extends BulkMessage['type']> = Extract<BulkMessage, { type: Type }>;
type ColdMessage = Exclude<BulkMessage, { type: 'forward' | 'forwardResult' | 'snapshotChunk' | 'broadcast' }>;

/** Field numbers of zabtree.peer.BulkFrame. */
const fields: Readonly<Record<BulkMessage['type'], number>> = {
  forward: 3,
  forwardResult: 4,
  readPoint: 5,
  readPointResult: 6,
  snapshotRequest: 7,
  snapshotBegin: 8,
  snapshotChunk: 9,
  snapshotEnd: 10,
  snapshotCredit: 11,
  snapshotInstalled: 12,
  broadcast: 13,
  broadcastDone: 14,
  digestReport: 15,
  memberAddresses: 16,
};

/** What a writer is first given for these, bytes. */
const smallCapacity = 64;
const forwardItemCapacity = 128;
/** Guess of one forwarded item's length, so that its length prefix need not be moved. */
const itemSizeHint = 200;
/** Greatest timeout on the wire, milliseconds. */
const timeoutMsMax = 2 ** 32 - 1;

/** One frame as chunks to be sent in order. */
export function encodeBulkMessage(group: GroupId, message: BulkMessage): Bytes[] {
  switch (message.type) {
    case 'forward':
    case 'forwardResult':
      return [encodeItems(group, message)];
    case 'snapshotChunk':
      return encodeWithTail(group, message.type, 0, 1, message.bytes);
    case 'broadcast':
      return encodeWithTail(group, message.type, message.id, 2, message.payload);
    default:
      return [encodeGenerated(zabtree.peer.BulkFrame, { version: protocolVersion, group, ...coldFields(message) })];
  }
}

/** A message whose last field is bytes, sent uncopied. `id` is field 1 unless that is the bytes themselves. */
function encodeWithTail(
  group: GroupId,
  type: BulkMessage['type'],
  id: number,
  tailField: number,
  tail: Bytes,
): Bytes[] {
  const inner = new ProtoWriter(32);
  inner.varintField(1, id);
  if (tail.length > 0) inner.messageHeader(tailField, tail.length);
  const outer = new ProtoWriter(smallCapacity);
  writeFrameHeader(outer, group);
  outer.messageHeader(fields[type], inner.position + tail.length);
  outer.raw(inner.written());
  return tail.length > 0 ? [outer.written(), tail] : [outer.written()];
}

function encodeItems(group: GroupId, message: Message<'forward' | 'forwardResult'>): Bytes {
  const writer = new ProtoWriter(smallCapacity + message.items.length * forwardItemCapacity);
  writeFrameHeader(writer, group);
  const mark = writer.beginMessage(fields[message.type], message.items.length * itemSizeHint);
  if (message.type === 'forward') writeForward(writer, message);
  else writeForwardResult(writer, message);
  writer.endMessage(mark);
  return writer.written();
}

function writeForward(writer: ProtoWriter, message: Message<'forward'>): void {
  for (const item of message.items) {
    const itemMark = writer.beginMessage(1, itemSizeHint);
    writer.varintField(1, item.id);
    writer.varintField(2, Math.min(Math.max(0, Math.round(item.timeoutMs)), timeoutMsMax));
    const mark = writer.beginMessage(3, itemSizeHint);
    writeCommandEnvelope(writer, item.envelope);
    writer.endMessage(mark);
    writer.endMessage(itemMark);
  }
}

function writeForwardResult(writer: ProtoWriter, message: Message<'forwardResult'>): void {
  for (const item of message.items) {
    const itemMark = writer.beginMessage(1);
    writer.varintField(1, item.id);
    const mark = writer.beginMessage(2);
    writeCommandResult(writer, item.result);
    writer.endMessage(mark);
    writer.endMessage(itemMark);
  }
}

function coldFields(message: ColdMessage): zabtree.peer.BulkFrame.$Properties {
  switch (message.type) {
    case 'readPointResult':
      return { readPointResult: { ...message, code: resultCodeNumber(message.code) } };
    case 'snapshotBegin':
      return { snapshotBegin: { ...message, ensembleId: ensembleIdToBytes(message.ensembleId) } };
    case 'memberAddresses':
      return { memberAddresses: { items: [...message.items] } };
    default:
      // Their fields are called in the protocol as they are here.
      return { [message.type]: message };
  }
}

/** Throws WireError for anything but one whole message of this protocol version. */
export function decodeBulkMessage(frame: Bytes): Framed<BulkMessage> {
  return readFrame<BulkMessage>(new ProtoReader(frame), 'a bulk frame', readBody);
}

function readBody(reader: ProtoReader, field: number): BulkMessage | undefined {
  switch (field) {
    case fields.forward:
      return readForward(reader);
    case fields.forwardResult:
      return readForwardResult(reader);
    case fields.snapshotChunk:
      return { type: 'snapshotChunk', bytes: readChunk(reader) };
    default:
      return readColdMessage(reader.rest(), field);
  }
}

function readChunk(reader: ProtoReader): Bytes {
  let chunk = emptyBytes;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) chunk = reader.bytesView();
    else reader.skip();
  }
  return chunk;
}

function readForward(reader: ProtoReader): Message<'forward'> {
  const items: { id: number; timeoutMs: number; envelope: CommandEnvelope }[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const outerEnd = reader.enterMessage();
    let id = 0;
    let timeoutMs = 0;
    let envelope: CommandEnvelope | undefined;
    for (let inner = reader.nextField(); inner !== 0; inner = reader.nextField()) {
      if (inner === 1) id = reader.varint();
      else if (inner === 2) timeoutMs = reader.varint();
      else if (inner === 3) {
        const itemEnd = reader.enterMessage();
        envelope = readCommandEnvelope(reader);
        reader.leaveMessage(itemEnd);
      } else reader.skip();
    }
    reader.leaveMessage(outerEnd);
    if (envelope === undefined) throw new WireError('Cannot decode a forwarded request: it has no command');
    items.push({ id, timeoutMs, envelope });
  }
  return { type: 'forward', items };
}

function readForwardResult(reader: ProtoReader): Message<'forwardResult'> {
  const items: { id: number; result: CommandResult }[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field !== 1) {
      reader.skip();
      continue;
    }
    const outerEnd = reader.enterMessage();
    let id = 0;
    let result: CommandResult | undefined;
    for (let inner = reader.nextField(); inner !== 0; inner = reader.nextField()) {
      if (inner === 1) id = reader.varint();
      else if (inner === 2) {
        const itemEnd = reader.enterMessage();
        result = readCommandResult(reader);
        reader.leaveMessage(itemEnd);
      } else reader.skip();
    }
    reader.leaveMessage(outerEnd);
    if (result === undefined) throw new WireError('Cannot decode the result of a forwarded request: it is missing');
    items.push({ id, result });
  }
  return { type: 'forwardResult', items };
}

function readColdMessage(body: Bytes, field: number): BulkMessage | undefined {
  const { peer } = zabtree;
  switch (field) {
    case fields.readPoint:
      return { type: 'readPoint', id: safeInteger(decodeGenerated(peer.ReadPoint, 'a readPoint', body).id) };
    case fields.readPointResult: {
      const { id, code, zxid } = decodeGenerated(peer.ReadPointResult, 'a readPointResult', body);
      return { type: 'readPointResult', id: safeInteger(id), code: resultCodeOf(code), zxid: zxidField(zxid) };
    }
    case fields.snapshotRequest:
      decodeGenerated(peer.SnapshotRequest, 'a snapshotRequest', body);
      return { type: 'snapshotRequest' };
    case fields.snapshotBegin: {
      const { zxid, ensembleId: id } = decodeGenerated(peer.SnapshotBegin, 'a snapshotBegin', body);
      const ensembleId = ensembleIdFromBytes(id);
      if (ensembleId === null) throw new WireError('Cannot decode a snapshotBegin: it has no ensemble id');
      return { type: 'snapshotBegin', zxid: zxidField(zxid), ensembleId };
    }
    case fields.snapshotEnd:
      decodeGenerated(peer.SnapshotEnd, 'a snapshotEnd', body);
      return { type: 'snapshotEnd' };
    case fields.snapshotCredit: {
      const { chunks } = decodeGenerated(peer.SnapshotCredit, 'a snapshotCredit', body);
      return { type: 'snapshotCredit', chunks };
    }
    case fields.snapshotInstalled: {
      const { zxid } = decodeGenerated(peer.SnapshotInstalled, 'a snapshotInstalled', body);
      return { type: 'snapshotInstalled', zxid: zxidField(zxid) };
    }
    case fields.broadcast: {
      const { id, payload } = decodeGenerated(peer.Broadcast, 'a broadcast', body);
      return { type: 'broadcast', id: safeInteger(id), payload: bytesOf(payload) };
    }
    case fields.broadcastDone:
      return {
        type: 'broadcastDone',
        id: safeInteger(decodeGenerated(peer.BroadcastDone, 'a broadcastDone', body).id),
      };
    case fields.digestReport:
      return readDigestReport(body);
    case fields.memberAddresses:
      return readMemberAddresses(body);
    default:
      return undefined;
  }
}

function readDigestReport(body: Bytes): BulkMessage {
  const what = 'a digest report';
  const { server, zxid, revision, digest } = decodeGenerated(zabtree.peer.DigestReport, what, body);
  return {
    type: 'digestReport',
    server: serverIdField(server, what),
    zxid: zxidField(zxid),
    revision: revisionField(revision),
    digest,
  };
}

function readMemberAddresses(body: Bytes): BulkMessage {
  const what = 'member addresses';
  const { items } = decodeGenerated(zabtree.peer.MemberAddresses, what, body);
  return {
    type: 'memberAddresses',
    items: items.map(({ server, requestAddr }) => ({
      server: serverIdField(server, what),
      requestAddr: requestAddr ?? '',
    })),
  };
}
