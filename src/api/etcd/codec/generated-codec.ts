// The way into the code that protobufjs generates from protocol/etcd/*.proto, for messages that are not hot. It adds what
// that code lacks: a bound on the objects that a message may become, and WireError for all that is malformed. Decoded
// bytes share memory with the input.

import { Reader, Writer } from 'protobufjs/minimal.js';
import { type Bytes, emptyBytes } from '../../../shared/bytes.js';
import { utf8Encode } from '../../../wire/protobuf/utf8.js';
import { WireError } from '../../../wire/protobuf/wire-error.js';

/** Most fields of one message, those of the messages inside it included: each may cost an object of its own. */
const fieldsMax = 16_384;
const wireTypeGroup = 3;

class BoundedReader extends Reader {
  private fields = 0;

  override tag(): number {
    if (++this.fields > fieldsMax) throw new WireError(`more than ${fieldsMax} fields`);
    return super.tag();
  }

  /** Nothing of etcd's has groups, which nest. */
  override skipType(wireType: number, depth?: number, field?: number): Reader {
    if (wireType === wireTypeGroup) throw new WireError('groups are not supported');
    return super.skipType(wireType, depth, field);
  }
}

class ExactWriter extends Writer {
  /** The library's own writes half of a surrogate pair as bytes that are no UTF-8. */
  override string(value: string): Writer {
    return this.bytes(utf8Encode(value));
  }
}

/** 64-bit fields come from `int64Of`. */
export function encodeMessage<Fields>(
  type: { encode(fields: Fields, writer: Writer): Writer },
  fields: NoInfer<Fields>,
): Bytes {
  const writer = type.encode(fields, new ExactWriter());
  return writer.buf.subarray(0, writer.pos);
}

/** Throws WireError, and nothing else, for bytes that are no such message. */
export function decodeMessage<Message>(type: { decode(reader: Reader): Message }, bytes: Bytes): Message {
  try {
    return type.decode(new BoundedReader(bytes));
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError(cause instanceof Error ? cause.message : 'malformed', { cause });
  }
}

/** A bytes field as the generated code gives it: in Node its empty default is a Buffer. */
export function bytesOf(field: Bytes | null | undefined): Bytes {
  return field?.length ? field : emptyBytes;
}
