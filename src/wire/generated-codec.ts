// The way into the code that protobufjs generates from protocol/*.proto, for messages that are not hot. It adds what
// that code lacks: a bound on work and memory, refusal of numbers that would be cut off, and WireError for all that is
// malformed. It never makes or needs a Buffer. Decoded bytes share memory with the input.

import { Reader, Writer } from 'protobufjs/minimal.js';
import { InvariantError } from '../shared/assert.js';
import { type Bytes, emptyBytes } from '../shared/bytes.js';
import { safeInteger } from './id-fields.js';
import { utf8Encode } from './protobuf/utf8.js';
import { WireError } from './protobuf/wire-error.js';

/** Most fields of one message, those of the messages inside it included: each may cost an object of its own. */
const fieldsMax = 4_096;
const uint32Max = 2 ** 32 - 1;
const wireTypeGroup = 3;
const wireTypeGroupEnd = 4;

class BoundedReader extends Reader {
  private fields = 0;

  override tag(): number {
    if (++this.fields > fieldsMax) throw new WireError(`Cannot decode a message: more than ${fieldsMax} fields`);
    return super.tag();
  }

  /** The library's own drops the bits above 32. */
  override uint32(): number {
    const value = safeInteger(this.uint64());
    if (value > uint32Max) throw new WireError('Cannot decode a message: number past 2^32-1');
    return value;
  }

  /** Nothing of ours has groups, which nest. */
  override skipType(wireType: number, depth?: number, field?: number): Reader {
    if (wireType === wireTypeGroup || wireType === wireTypeGroupEnd) {
      throw new WireError(`Cannot decode a message: wire type ${wireType} is not supported`);
    }
    return super.skipType(wireType, depth, field);
  }
}

class ExactWriter extends Writer {
  override uint32(value: number): Writer {
    return super.uint32(exact(value, uint32Max));
  }

  override int32(value: number): Writer {
    return super.int32(exact(value, 2 ** 31 - 1));
  }

  override uint64(value: unknown): Writer {
    return super.uint64(exact(value, Number.MAX_SAFE_INTEGER));
  }

  /** The library's own writes half of a surrogate pair as bytes that are no UTF-8. */
  override string(value: string): Writer {
    return this.bytes(utf8Encode(value));
  }
}

/** The library writes 0 for a BigInt and cuts off what is too large. */
function exact(value: unknown, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new InvariantError(`Cannot write ${value}: expected an integer in 0..${max}`);
}

/** Throws InvariantError for a number that is not exact in its field. */
export function encodeGenerated<Fields>(
  type: { encode(fields: Fields, writer: Writer): Writer },
  fields: NoInfer<Fields>,
): Uint8Array {
  const writer = type.encode(fields, new ExactWriter());
  return writer.buf.subarray(0, writer.pos);
}

/** Throws WireError, and nothing else, for bytes that are no such message. `what` is for its text. */
export function decodeGenerated<Message>(
  type: { decode(reader: Reader): Message },
  what: string,
  bytes: Bytes,
): Message {
  try {
    return type.decode(new BoundedReader(bytes));
  } catch (cause) {
    if (cause instanceof WireError) throw cause;
    throw new WireError(`Cannot decode ${what}: ${cause instanceof Error ? cause.message : 'malformed'}`, { cause });
  }
}

/** A bytes field as the generated code gives it: in Node its empty default is a Buffer. */
export function bytesOf(field: Bytes | null | undefined): Bytes {
  return field?.length ? field : emptyBytes;
}
