// Frames of the native protocol from server to client → protobuf bytes. Records and events are coded by hand, straight
// into their connection's output with no object in between; generated code does the other payloads.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { resultCodeNumber } from './command-codec.js';
import { zabtree } from './generated/protocol.js';
import { encodeGenerated } from './generated-codec.js';
import { writeAccessAnswer } from './native-access-codec.js';
import { writeLeaseList } from './native-lease-codec.js';
import type { KeyRecord, NativeEvent, NativeFrame, NativePayload, NativeStatus } from './native-messages.js';
import { outputBytes, writeOutput } from './output-codec.js';
import { bytesFieldSize, type ProtoWriter, varintFieldSize } from './protobuf/proto-writer.js';

/** They stand behind the output. */
type LaterPayload = 'access' | 'leases' | 'snapshot';
type HotPayload = Extract<NativePayload, { type: 'record' | 'list' | 'watchEvents' | 'watchInitial' }>;
type ColdPayload = Exclude<NativePayload, HotPayload | { type: LaterPayload | 'none' }>;

/** Field numbers of zabtree.native.Frame's payloads. */
export const payloadFields = {
  hello: 6,
  record: 7,
  list: 8,
  status: 9,
  digest: 10,
  digestAll: 11,
  watchEvents: 12,
  watchInitial: 13,
  watchEnded: 14,
  broadcast: 15,
} as const satisfies Record<Exclude<NativePayload['type'], LaterPayload | 'none'>, number>;

export const outputField = 16;
/** Payloads too, of a later time. */
export const accessField = 17;
export const leasesField = 18;
export const snapshotField = 19;

/** zabtree.native.Role by number. */
export const roles = ['looking', 'follower', 'leader'] as const satisfies readonly NativeStatus['role'][];

/** Appends the body of a frame. */
export function writeFrameBody(writer: ProtoWriter, frame: NativeFrame): void {
  writer.varintField(1, frame.id);
  if (frame.code !== 'OK') writer.varintField(2, resultCodeNumber(frame.code));
  writer.stringField(3, frame.message);
  writer.varintField(4, frame.zxid);
  writer.varintField(5, frame.revision);
  writePayloadField(writer, frame.payload);
  if (frame.output !== undefined) {
    // Memory that doubles as it grows is half empty at its end, and waits for the client as it is.
    writer.reserve(outputBytes(frame.output));
    const mark = writer.beginMessage(outputField);
    writeOutput(writer, frame.output);
    writer.endMessage(mark);
  }
  writeLaterPayload(writer, frame.payload);
}

function writeLaterPayload(writer: ProtoWriter, payload: NativePayload): void {
  if (payload.type === 'access') {
    const mark = writer.beginMessage(accessField);
    writeAccessAnswer(writer, payload);
    writer.endMessage(mark);
  } else if (payload.type === 'leases') {
    const mark = writer.beginMessage(leasesField);
    writeLeaseList(writer, payload.ids);
    writer.endMessage(mark);
  } else if (payload.type === 'snapshot') {
    const mark = writer.beginMessage(snapshotField, payload.bytes.length);
    writer.varintField(1, payload.snapshot);
    writer.bytesField(2, payload.bytes);
    writer.boolField(3, payload.last);
    writer.endMessage(mark);
  }
}

function writePayloadField(writer: ProtoWriter, payload: NativePayload): void {
  switch (payload.type) {
    case 'none':
    case 'access':
    case 'leases':
    case 'snapshot':
      return;
    case 'record':
    case 'list':
    case 'watchEvents':
    case 'watchInitial': {
      const mark = writer.beginMessage(payloadFields[payload.type], payloadSizeHint(payload));
      writePayload(writer, payload);
      writer.endMessage(mark);
      return;
    }
    default:
      writer.presentBytesField(payloadFields[payload.type], encodeColdPayload(payload));
  }
}

/** Appends a whole frame, length included. */
export function writeFrame(writer: ProtoWriter, frame: NativeFrame): void {
  const mark = writer.beginFrame();
  writeFrameBody(writer, frame);
  writer.endFrame(mark);
}

/** Near enough that a large payload need not be moved when its length is known. */
function payloadSizeHint(payload: HotPayload): number {
  switch (payload.type) {
    case 'record':
      return payload.record.value.length;
    case 'list':
    case 'watchInitial':
      return payload.records.reduce((sum, record) => sum + recordSize(record) + 4, 0);
    case 'watchEvents':
      return payload.events.reduce((sum, event) => sum + (event.record?.value.length ?? 0) + 32, 0);
  }
}

function writePayload(writer: ProtoWriter, payload: HotPayload): void {
  switch (payload.type) {
    case 'record':
      writeRecordFields(writer, payload.record);
      return;
    case 'list':
      for (const record of payload.records) writeRecord(writer, record);
      writer.bytesField(2, payload.next);
      return;
    case 'watchEvents':
      for (const event of payload.events) writeEvent(writer, event);
      writer.boolField(2, payload.more);
      return;
    case 'watchInitial':
      for (const record of payload.records) writeRecord(writer, record);
      writer.boolField(2, payload.last);
      return;
  }
}

function encodeColdPayload(payload: ColdPayload): Bytes {
  const { native } = zabtree;
  switch (payload.type) {
    case 'hello':
      return encodeGenerated(native.Hello, payload);
    case 'status': {
      const { status } = payload;
      const role = roles.indexOf(status.role);
      return encodeGenerated(native.Status, { ...status, role, members: [...status.members] });
    }
    case 'digest':
      return encodeGenerated(native.Digest, payload.digest);
    case 'digestAll':
      return encodeGenerated(native.DigestAll, { digests: [...payload.digests] });
    case 'watchEnded':
      return emptyBytes;
    case 'broadcast':
      return encodeGenerated(native.BroadcastMessage, payload);
  }
}

function recordSize(record: KeyRecord): number {
  return (
    bytesFieldSize(record.key.length) +
    bytesFieldSize(record.value.length) +
    varintFieldSize(record.createRevision) +
    varintFieldSize(record.modRevision) +
    varintFieldSize(record.version) +
    (record.lease === 0n ? 0 : 11)
  );
}

function writeRecord(writer: ProtoWriter, record: KeyRecord): void {
  const mark = writer.beginMessage(1, recordSize(record));
  writeRecordFields(writer, record);
  writer.endMessage(mark);
}

function writeRecordFields(writer: ProtoWriter, record: KeyRecord): void {
  writer.bytesField(1, record.key);
  writer.bytesField(2, record.value);
  writer.varintField(3, record.createRevision);
  writer.varintField(4, record.modRevision);
  writer.varintField(5, record.version);
  writer.bigintField(6, record.lease);
}

function writeEvent(writer: ProtoWriter, event: NativeEvent): void {
  const { record } = event;
  const mark = writer.beginMessage(1, record === undefined ? 0 : recordSize(record) + 2);
  if (event.type === 'delete') writer.varintField(1, 1);
  const recordMark = writer.beginMessage(2, record === undefined ? 0 : recordSize(record));
  if (record === undefined) {
    writer.bytesField(1, event.key);
    writer.varintField(4, event.modRevision);
  } else {
    writeRecordFields(writer, record);
  }
  writer.endMessage(recordMark);
  writer.endMessage(mark);
}
