// etcdserverpb.WatchRequest ← protobuf bytes. Fields that are not known are passed over, as etcd does; bytes are views into
// the message: copy what is kept.

import { type Bytes, emptyBytes } from '../../../shared/bytes.js';
import { ProtoReader } from '../../../wire/protobuf/proto-reader.js';

const noPutFilter = 0;
const noDeleteFilter = 1;

/** A number where that is exact, all 64 bits as a signed bigint where it is not. */
export type WatchId = number | bigint;

export interface WatchCreateRequest {
  readonly type: 'create';
  readonly key: Bytes;
  readonly rangeEnd: Bytes;
  /** 0 = from the next change on. */
  readonly startRevision: number;
  readonly progressNotify: boolean;
  readonly noPut: boolean;
  readonly noDelete: boolean;
  readonly prevKv: boolean;
  /** 0 = chosen by the server. */
  readonly watchId: WatchId;
  readonly fragment: boolean;
}

export type WatchRequest =
  | WatchCreateRequest
  | { readonly type: 'cancel'; readonly watchId: WatchId }
  | { readonly type: 'progress' }
  /** None of them, or one that is newer than this. */
  | { readonly type: 'none' };

/** Throws WireError, and nothing else, for bytes that are no such message. */
export function decodeWatchRequest(bytes: Bytes): WatchRequest {
  const reader = new ProtoReader(bytes);
  let request: WatchRequest = { type: 'none' };
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    // Of several, the last counts; several of one kind should be merged, but nobody sends that.
    if (field === 1) request = within(reader, readCreate);
    else if (field === 2) request = within(reader, readCancel);
    else if (field === 3) request = within(reader, readProgress);
    else reader.skip();
  }
  return request;
}

function within<T>(reader: ProtoReader, read: (reader: ProtoReader) => T): T {
  const outerEnd = reader.enterMessage();
  const value = read(reader);
  reader.leaveMessage(outerEnd);
  return value;
}

function readCreate(reader: ProtoReader): WatchRequest {
  let key = emptyBytes;
  let rangeEnd = emptyBytes;
  let startRevision = 0;
  let watchId: WatchId = 0;
  let progressNotify = false;
  let prevKv = false;
  let fragment = false;
  const filters = { noPut: false, noDelete: false };
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) key = reader.bytesView();
    else if (field === 2) rangeEnd = reader.bytesView();
    else if (field === 3) startRevision = reader.int64();
    else if (field === 4) progressNotify = reader.bool();
    else if (field === 5) readFilters(reader, filters);
    else if (field === 6) prevKv = reader.bool();
    else if (field === 7) watchId = exactId(readInt64(reader));
    else if (field === 8) fragment = reader.bool();
    else reader.skip();
  }
  return { type: 'create', key, rangeEnd, startRevision, progressNotify, ...filters, prevKv, watchId, fragment };
}

function readCancel(reader: ProtoReader): WatchRequest {
  let watchId: WatchId = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) watchId = exactId(readInt64(reader));
    else reader.skip();
  }
  return { type: 'cancel', watchId };
}

function readProgress(reader: ProtoReader): WatchRequest {
  while (reader.nextField() !== 0) reader.skip();
  return { type: 'progress' };
}

/** Packed, as proto3 writes them, or one by one. Filters that are not known filter nothing. */
function readFilters(reader: ProtoReader, filters: { noPut: boolean; noDelete: boolean }): void {
  const take = (filter: number): void => {
    if (filter === noPutFilter) filters.noPut = true;
    else if (filter === noDeleteFilter) filters.noDelete = true;
  };
  if (!reader.isBytes) {
    take(reader.int64());
    return;
  }
  // The two that are known take a byte each; what continues in further bytes is another one.
  let continued = false;
  for (const byte of reader.bytesView()) {
    if (!continued) take(byte);
    continued = byte >= 0x80;
  }
}

function readInt64(reader: ProtoReader): bigint {
  return BigInt.asIntN(64, reader.bigint());
}

function exactId(id: bigint): WatchId {
  const number = Number(id);
  return Number.isSafeInteger(number) ? number : id;
}
