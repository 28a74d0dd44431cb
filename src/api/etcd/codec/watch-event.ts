// Changes → mvccpb.Event as protobuf bytes. An event is encoded once, as the field of a WatchResponse that it becomes,
// and its bytes stay with it for all the watches that are told of it.

import type { Bytes } from '../../../shared/bytes.js';
import type { WatchEvent } from '../../../tree/replicated-tree.js';
import type { KeyRecord } from '../../../tree/store.js';
import { bytesFieldSize, type ProtoWriter, varintFieldSize, varintSize } from '../../../wire/protobuf/proto-writer.js';
import { keyValueFieldSize, writeKeyValueField } from './key-value.js';

/** In WatchResponse. */
const eventsField = 11;
const deleteType = 1;
/** Memory of a writer that is kept for the next event. */
const writerBytesKept = 64 * 2 ** 10;

/** The event as a whole field of a WatchResponse. Throws StoreError for damage found while reading what it replaced. */
export function eventField(event: WatchEvent, withPrevious: boolean, writer: ProtoWriter): Bytes {
  const previous = withPrevious ? event.previous : undefined;
  if (previous === undefined) {
    event.encoded ??= encodeEvent(event, undefined, writer);
    return event.encoded;
  }
  event.encodedWithPrevious ??= encodeEvent(event, previous, writer);
  return event.encodedWithPrevious;
}

/** `writer` is overwritten. */
function encodeEvent(event: WatchEvent, previous: KeyRecord | undefined, writer: ProtoWriter): Bytes {
  const { key, modRevision, record } = event;
  const deletionSize = bytesFieldSize(key.length) + varintFieldSize(modRevision);
  const typeSize = record === undefined ? varintFieldSize(deleteType) : 0;
  const kvSize = record === undefined ? 1 + varintSize(deletionSize) + deletionSize : keyValueFieldSize(record);
  writer.position = 0;
  writer.messageHeader(eventsField, typeSize + kvSize + (previous === undefined ? 0 : keyValueFieldSize(previous)));
  if (record === undefined) {
    writer.varintField(1, deleteType);
    writer.messageHeader(2, deletionSize);
    writer.bytesField(1, key);
    writer.varintField(3, modRevision);
  } else {
    writeKeyValueField(writer, 2, record);
  }
  if (previous !== undefined) writeKeyValueField(writer, 3, previous);
  return copyOf(writer);
}

/** A copy of what was written. Small ones share a slab of the runtime's, which costs less than memory of their own. */
function copyOf(writer: ProtoWriter): Bytes {
  const copy = Buffer.allocUnsafe(writer.position);
  copy.set(writer.written());
  if (writer.bytes.length > writerBytesKept) writer.bytes = new Uint8Array(writerBytesKept);
  return copy;
}
