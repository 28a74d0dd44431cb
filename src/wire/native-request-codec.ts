// Requests of the native client protocol ↔ protobuf bytes. Writes and gets are coded by hand: encoding takes one pass over
// one buffer, decoding makes no object but the request; generated code does the others. Bytes of a decoded request are
// views into the frame: copy them to keep them.

import { type Bytes, emptyBytes } from '../shared/bytes.js';
import type { Zxid } from '../shared/ids.js';
import type { CommandEnvelope } from '../tree/command.js';
import { readCommandEnvelope, writeCommandEnvelope } from './command-codec.js';
import { zabtree } from './generated/protocol.js';
import { bytesOf, decodeGenerated, encodeGenerated } from './generated-codec.js';
import { revisionField, safeInteger, zxidField } from './id-fields.js';
import { readAccessQuestion, readChangeAccess, writeAccessQuestion, writeChangeAccess } from './native-access-codec.js';
import { readListLeases, writeListLeases } from './native-lease-codec.js';
import type { NativeRange, NativeRequest, NativeRequestBody, ReceivedRequest } from './native-messages.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

type ColdBody = Exclude<NativeRequestBody, { type: 'write' | 'get' | 'changeAccess' | 'askAccess' | 'listLeases' }>;

const fields = {
  id: 1,
  timeoutMs: 2,
  write: 3,
  get: 4,
  list: 5,
  watch: 6,
  cancelWatch: 7,
  broadcast: 8,
  subscribeBroadcasts: 9,
  unsubscribeBroadcasts: 10,
  status: 11,
  digest: 12,
  digestAll: 13,
  authenticate: 14,
  changeAccess: 15,
  askAccess: 16,
  listLeases: 17,
  openSnapshot: 18,
  readSnapshot: 19,
} as const satisfies Record<NativeRequestBody['type'] | 'id' | 'timeoutMs', number>;

/** Appends the body of a request's frame. */
export function writeRequest(writer: ProtoWriter, request: NativeRequest): void {
  writer.varintField(fields.id, request.id);
  writer.varintField(fields.timeoutMs, request.timeoutMs);
  const { body } = request;
  switch (body.type) {
    case 'write': {
      const mark = writer.beginMessage(fields.write);
      writeCommandEnvelope(writer, body.envelope);
      writer.endMessage(mark);
      return;
    }
    case 'get': {
      const mark = writer.beginMessage(fields.get);
      writer.bytesField(1, body.key);
      writer.boolField(2, body.local);
      writer.varintField(3, body.seen);
      writer.endMessage(mark);
      return;
    }
    case 'changeAccess': {
      const mark = writer.beginMessage(fields.changeAccess);
      writeChangeAccess(writer, body);
      writer.endMessage(mark);
      return;
    }
    case 'askAccess': {
      const mark = writer.beginMessage(fields.askAccess);
      writeAccessQuestion(writer, body.question);
      writer.endMessage(mark);
      return;
    }
    case 'listLeases': {
      const mark = writer.beginMessage(fields.listLeases);
      writeListLeases(writer, body);
      writer.endMessage(mark);
      return;
    }
    default:
      writer.presentBytesField(fields[body.type], encodeColdBody(body));
  }
}

/** Appends a whole frame, length included. */
export function writeRequestFrame(writer: ProtoWriter, request: NativeRequest): void {
  const mark = writer.beginFrame();
  writeRequest(writer, request);
  writer.endFrame(mark);
}

function encodeColdBody(body: ColdBody): Bytes {
  const { native } = zabtree;
  switch (body.type) {
    case 'list':
      return encodeGenerated(native.List, { ...body, range: rangeFields(body.range) });
    case 'watch':
      return encodeGenerated(native.Watch, { ...body, range: rangeFields(body.range) });
    case 'cancelWatch':
      return encodeGenerated(native.CancelWatch, body);
    case 'broadcast':
      return encodeGenerated(native.Broadcast, body);
    case 'readSnapshot':
      return encodeGenerated(native.ReadSnapshot, body);
    case 'authenticate':
      return encodeGenerated(native.Authenticate, body);
    default:
      return emptyBytes;
  }
}

function rangeFields(range: NativeRange): zabtree.native.Range.$Properties {
  switch (range.type) {
    case 'single':
      return { from: range.key, single: true };
    case 'prefix':
      return { from: range.prefix, prefix: true };
    case 'range':
      return range.to === undefined ? { from: range.from } : { from: range.from, to: range.to };
  }
}

/** Reads the body of a request's frame. Throws WireError for anything that is no request. */
export function readRequest(reader: ProtoReader): ReceivedRequest {
  let id = 0;
  let timeoutMs = 0;
  let body: NativeRequestBody | undefined;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === fields.id) {
      id = reader.varint();
    } else if (field === fields.timeoutMs) {
      timeoutMs = reader.varint();
    } else if (field <= fields.readSnapshot) {
      const outer = reader.enterMessage();
      body = readBody(reader, field);
      reader.leaveMessage(outer);
    } else {
      reader.skip();
    }
  }
  if (id === 0) throw new WireError('Cannot decode a request: it has no id');
  return { id, timeoutMs, body: body ?? { type: 'unknown' } };
}

function readBody(reader: ProtoReader, field: number): NativeRequestBody {
  switch (field) {
    case fields.write:
      return { type: 'write', envelope: readClientEnvelope(reader) };
    case fields.get:
      return readGet(reader);
    case fields.changeAccess:
      return readChangeAccess(reader);
    case fields.askAccess:
      return { type: 'askAccess', question: readAccessQuestion(reader) };
    case fields.listLeases:
      return readListLeases(reader);
    default:
      return readColdBody(reader.rest(), field);
  }
}

/** For whom a request is made is said once for the connection, never by the request. */
function readClientEnvelope(reader: ProtoReader): CommandEnvelope {
  const envelope = readCommandEnvelope(reader);
  if (envelope.actor !== undefined) throw new WireError('Cannot decode a request: it names an actor');
  return envelope;
}

function readGet(reader: ProtoReader): NativeRequestBody {
  let key = emptyBytes;
  let local = false;
  let seen = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) local = reader.bool();
    else if (field === 3) seen = reader.varint();
    else reader.skip();
  }
  return { type: 'get', key, local, seen: seen as Zxid };
}

function readColdBody(body: Bytes, field: number): ColdBody {
  const { native } = zabtree;
  switch (field) {
    case fields.list:
      return readList(body);
    case fields.watch:
      return readWatch(body);
    case fields.cancelWatch:
      return { type: 'cancelWatch', watch: safeInteger(decodeGenerated(native.CancelWatch, 'a request', body).watch) };
    case fields.broadcast:
      return { type: 'broadcast', payload: bytesOf(decodeGenerated(native.Broadcast, 'a request', body).payload) };
    case fields.subscribeBroadcasts:
      decodeGenerated(native.SubscribeBroadcasts, 'a request', body);
      return { type: 'subscribeBroadcasts' };
    case fields.unsubscribeBroadcasts:
      decodeGenerated(native.UnsubscribeBroadcasts, 'a request', body);
      return { type: 'unsubscribeBroadcasts' };
    case fields.status:
      decodeGenerated(native.GetStatus, 'a request', body);
      return { type: 'status' };
    case fields.digest:
      decodeGenerated(native.GetDigest, 'a request', body);
      return { type: 'digest' };
    case fields.openSnapshot:
      decodeGenerated(native.OpenSnapshot, 'a request', body);
      return { type: 'openSnapshot' };
    case fields.readSnapshot: {
      const { snapshot } = decodeGenerated(native.ReadSnapshot, 'a request', body);
      return { type: 'readSnapshot', snapshot: safeInteger(snapshot) };
    }
    case fields.authenticate: {
      // Told apart from other malformed requests: nothing of it may be repeated in a message.
      const { user, password } = decodeGenerated(native.Authenticate, 'a login', body);
      return { type: 'authenticate', user, password };
    }
    default:
      decodeGenerated(native.GetDigestAll, 'a request', body);
      return { type: 'digestAll' };
  }
}

function readList(body: Bytes): ColdBody {
  const list = decodeGenerated(zabtree.native.List, 'a list request', body);
  return {
    type: 'list',
    range: rangeOf(list.range),
    page: bytesOf(list.page),
    limit: list.limit,
    revision: revisionField(list.revision),
    keysOnly: list.keysOnly,
    local: list.local,
    seen: zxidField(list.seen),
  };
}

function readWatch(body: Bytes): ColdBody {
  const watch = decodeGenerated(zabtree.native.Watch, 'a watch request', body);
  return {
    type: 'watch',
    range: rangeOf(watch.range),
    fromRevision: revisionField(watch.fromRevision),
    withInitial: watch.withInitial,
    seen: zxidField(watch.seen),
  };
}

/** Left out, it is everything. */
function rangeOf(range: zabtree.native.Range.$Properties | null | undefined): NativeRange {
  const from = bytesOf(range?.from);
  if (range?.prefix) return { type: 'prefix', prefix: from };
  if (range?.single) return { type: 'single', key: from };
  return { type: 'range', from, to: range?.to ? bytesOf(range.to) : undefined };
}
