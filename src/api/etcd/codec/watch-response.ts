// etcdserverpb.WatchResponse → protobuf bytes: the small ones that answer requests, and those that carry events, put together
// from the events' own bytes.

import type { Bytes } from '../../../shared/bytes.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { type ResponseHeader, writeHeaderField } from './response-header.js';
import type { WatchId } from './watch-request.js';

/** The id of answers that are about no single watch. */
export const noWatchId = -1;

export interface WatchAnswer {
  readonly watchId: WatchId;
  readonly created?: boolean;
  readonly canceled?: boolean;
  readonly compactRevision?: number;
  readonly cancelReason?: string;
}

/** A response without events. */
export function encodeWatchAnswer(header: ResponseHeader, answer: WatchAnswer): Bytes {
  const writer = new ProtoWriter(64);
  writeHeaderField(writer, header);
  writeWatchId(writer, answer.watchId);
  writer.boolField(3, answer.created ?? false);
  writer.boolField(4, answer.canceled ?? false);
  writer.varintField(5, answer.compactRevision ?? 0);
  writer.stringField(6, answer.cancelReason ?? '');
  return writer.finish();
}

/** The field `header`, to begin a response with. */
export function encodeHeaderField(header: ResponseHeader): Bytes {
  const writer = new ProtoWriter(48);
  writeHeaderField(writer, header);
  return writer.finish();
}

/** A response of these event fields. `header` is a whole field; `writer` is overwritten. */
export function encodeEvents(
  head: { readonly header: Bytes; readonly watchId: WatchId; readonly fragment: boolean },
  fields: readonly Bytes[],
  writer: ProtoWriter,
): Bytes {
  writer.position = 0;
  writer.raw(head.header);
  writeWatchId(writer, head.watchId);
  writer.boolField(7, head.fragment);
  let byteLength = writer.position;
  for (const field of fields) byteLength += field.length;
  const message = Buffer.allocUnsafe(byteLength);
  message.set(writer.written());
  let at = writer.position;
  for (const field of fields) {
    message.set(field, at);
    at += field.length;
  }
  return message;
}

/** Most bytes of a response of events beside its header and the events themselves. */
export const eventsHeadBytesMax = 13;

function writeWatchId(writer: ProtoWriter, id: WatchId): void {
  if (typeof id === 'number' && id >= 0) writer.varintField(2, id);
  else writer.bigintField(2, BigInt(id));
}
