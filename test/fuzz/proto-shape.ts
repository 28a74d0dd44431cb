// Protobuf bytes as a tree of fields, without a schema: what parses as a message is taken for one. For mutations that
// change a field deep inside and keep every length around it right, so that they get past the first check. It knows no
// message of ours, and writes back what it read.

export interface ProtoField {
  readonly tag: number;
  /** A number's bytes as they stood; bytes that do not look like a message; or the fields of one. */
  readonly value: Uint8Array | readonly ProtoField[];
}

const wireTypeVarint = 0;
const wireTypeFixed64 = 1;
const wireTypeBytes = 2;
const wireTypeFixed32 = 5;
/** Deeper than any message of ours. */
const depthMax = 8;

export function isMessage(value: Uint8Array | readonly ProtoField[]): value is readonly ProtoField[] {
  return !(value instanceof Uint8Array);
}

/** Fields of the message, undefined for bytes that are none. */
export function parseProto(bytes: Uint8Array, depth = 0): readonly ProtoField[] | undefined {
  const fields: ProtoField[] = [];
  let at = 0;
  while (at < bytes.length) {
    const tag = varintAt(bytes, at);
    if (tag === undefined || tag.value < 8 || tag.value > 0xffff_ffff) return undefined;
    at = tag.end;
    const end = valueEnd(bytes, at, tag.value & 7);
    if (end === undefined) return undefined;
    fields.push({ tag: tag.value, value: fieldValue(bytes.subarray(end.start, end.end), tag.value & 7, depth) });
    at = end.end;
  }
  return fields;
}

export function serializeProto(fields: readonly ProtoField[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const { tag, value } of fields) {
    parts.push(varintBytes(BigInt(tag)));
    const body = isMessage(value) ? serializeProto(value) : value;
    if ((tag & 7) === wireTypeBytes) parts.push(varintBytes(BigInt(body.length)));
    parts.push(body);
  }
  return new Uint8Array(Buffer.concat(parts));
}

export function varintBytes(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 0x7fn) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function fieldValue(body: Uint8Array, wireType: number, depth: number): ProtoField['value'] {
  if (wireType !== wireTypeBytes || body.length === 0 || depth >= depthMax) return body;
  return parseProto(body, depth + 1) ?? body;
}

function valueEnd(bytes: Uint8Array, at: number, wireType: number): { start: number; end: number } | undefined {
  switch (wireType) {
    case wireTypeVarint: {
      const number = varintAt(bytes, at);
      return number === undefined ? undefined : { start: at, end: number.end };
    }
    case wireTypeBytes: {
      const length = varintAt(bytes, at);
      if (length === undefined || length.value > bytes.length - length.end) return undefined;
      return { start: length.end, end: length.end + length.value };
    }
    case wireTypeFixed64:
      return at + 8 <= bytes.length ? { start: at, end: at + 8 } : undefined;
    case wireTypeFixed32:
      return at + 4 <= bytes.length ? { start: at, end: at + 4 } : undefined;
    default:
      return undefined;
  }
}

/** Numbers past 32 bits come out inexact, which no caller minds: as a tag or a length they fit nothing. */
function varintAt(bytes: Uint8Array, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return undefined;
}
