// JSON ↔ protobuf bytes, by the description of a message, as etcd's gateway does it: names as in the .proto files (lower
// camel case is taken too), 64-bit numbers as text, bytes in base64, enums by name; unknown names are passed over, and
// what is zero is left out.

import type { Bytes } from '../../../shared/bytes.js';
import { ProtoReader } from '../../../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { utf8Encode } from '../../../wire/protobuf/utf8.js';
import { JsonError } from './json-values.js';
import type { EnumType, MessageField, MessageType } from './message-types.js';

const firstCapacityBytes = 256;
/** Transactions in transactions; what may be executed is far less deep. */
const depthMax = 256;

const ranges = {
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
  uint32: [0n, 2n ** 32n - 1n],
} as const;

/** Throws JsonError for a value that the message cannot be. */
export function bytesOfJson(type: MessageType, value: unknown): Bytes {
  const writer = new ProtoWriter(firstCapacityBytes);
  writeFields(writer, type, value, 1);
  return writer.written();
}

function writeFields(writer: ProtoWriter, type: MessageType, value: unknown, depth: number): void {
  if (value === null || value === undefined) return;
  if (depth > depthMax) throw new JsonError('the message nests too deep');
  if (typeof value !== 'object' || Array.isArray(value)) throw mismatch(value, 'map[string]json.RawMessage');
  const given = new Map<MessageField, unknown>();
  for (const [name, inner] of Object.entries(value)) {
    const field = type.byName.get(name);
    if (field !== undefined && inner !== null) given.set(field, inner);
  }
  for (const field of type.fields.values()) {
    const inner = given.get(field);
    if (inner === undefined) continue;
    if (!field.repeated) writeField(writer, field, inner, depth);
    else if (!Array.isArray(inner)) throw mismatch(inner, '[]json.RawMessage');
    else if (field.kind.type === 'enum') writePacked(writer, field, field.kind.of, inner);
    else for (const element of inner) writeField(writer, field, element, depth);
  }
}

function writeField(writer: ProtoWriter, { id, kind }: MessageField, value: unknown, depth: number): void {
  switch (kind.type) {
    case 'message': {
      const mark = writer.beginMessage(id);
      writeFields(writer, kind.of, value, depth + 1);
      writer.endMessage(mark);
      return;
    }
    case 'enum':
      writer.bigintField(id, BigInt(enumNumber(kind.of, value)));
      return;
    case 'bytes':
      writer.presentBytesField(id, bytesOfBase64(value));
      return;
    case 'string':
      if (typeof value !== 'string') throw mismatch(value, 'string');
      writer.presentBytesField(id, utf8Encode(value));
      return;
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(value, 'bool');
      writer.boolField(id, value);
      return;
    case 'int64':
    case 'uint64':
    case 'uint32':
      writeInteger(writer, id, integer(kind.type, value));
      return;
  }
}

/** Present even when it is zero: it may be the one that is given of several. */
function writeInteger(writer: ProtoWriter, field: number, value: bigint): void {
  if (value === 0n) writer.presentVarintField(field, 0);
  else writer.bigintField(field, value);
}

function writePacked(writer: ProtoWriter, field: MessageField, type: EnumType, values: readonly unknown[]): void {
  const mark = writer.beginMessage(field.id);
  for (const value of values) writer.varint(Math.max(0, enumNumber(type, value)));
  writer.endMessage(mark);
}

function enumNumber(type: EnumType, value: unknown): number {
  const known = typeof value === 'string' ? type.numbers.get(value) : value;
  if (typeof known === 'number' && Number.isInteger(known) && Math.abs(known) < 2 ** 31) return known;
  throw new JsonError(`unknown value ${JSON.stringify(value)} for enum ${type.name}`);
}

function integer(type: keyof typeof ranges, value: unknown): bigint {
  const text = typeof value === 'number' ? String(value) : value;
  if (typeof text !== 'string') throw mismatch(value, type);
  if (!/^-?\d{1,20}$/.test(text))
    throw new JsonError(`json: cannot unmarshal ${JSON.stringify(value)} into Go value of type ${type}`);
  const [least, greatest] = ranges[type];
  const exact = BigInt(text);
  if (exact < least || exact > greatest)
    throw new JsonError(`json: cannot unmarshal number ${text} into Go value of type ${type}`);
  return exact;
}

/** In either alphabet, with padding or without. */
function bytesOfBase64(value: unknown): Bytes {
  if (typeof value !== 'string') throw mismatch(value, '[]uint8');
  const wrong = value.search(/[^A-Za-z0-9+/_-]/);
  const body = wrong < 0 ? value : value.slice(0, wrong);
  const padding = value.slice(body.length);
  if (!/^={0,2}$/.test(padding) || body.length % 4 === 1) {
    throw new JsonError(`illegal base64 data at input byte ${body.length}`);
  }
  return Buffer.from(body, 'base64');
}

function mismatch(value: unknown, type: string): JsonError {
  const what =
    value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return new JsonError(`json: cannot unmarshal ${what} into Go value of type ${type}`);
}

/** The message as JSON text. Throws WireError for bytes that are no such message. */
export function jsonOfBytes(type: MessageType, bytes: Bytes): string {
  return readMessage(type, new ProtoReader(bytes));
}

function readMessage(type: MessageType, reader: ProtoReader): string {
  const texts = new Map<number, string[]>();
  for (let id = reader.nextField(); id !== 0; id = reader.nextField()) {
    const field = type.fields.get(id);
    if (field === undefined) {
      reader.skip();
      continue;
    }
    const text = readField(field, reader);
    const before = texts.get(id);
    if (before === undefined) texts.set(id, [text]);
    else if (field.repeated) before.push(text);
    else before[0] = text;
  }
  const members: string[] = [];
  for (const { id, name, repeated } of type.fields.values()) {
    const values = texts.get(id);
    if (values === undefined) continue;
    members.push(`"${name}":${repeated ? `[${values.join(',')}]` : (values[0] ?? 'null')}`);
  }
  return `{${members.join(',')}}`;
}

function readField({ kind }: MessageField, reader: ProtoReader): string {
  switch (kind.type) {
    case 'message': {
      const outer = reader.enterMessage();
      const text = readMessage(kind.of, reader);
      reader.leaveMessage(outer);
      return text;
    }
    case 'enum': {
      const value = reader.int64();
      const name = kind.of.names.get(value);
      return name === undefined ? String(value) : `"${name}"`;
    }
    case 'bytes': {
      const view = reader.bytesView();
      return `"${Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('base64')}"`;
    }
    case 'string':
      return JSON.stringify(reader.string());
    case 'bool':
      return reader.bool() ? 'true' : 'false';
    case 'int64':
      return `"${BigInt.asIntN(64, reader.bigint())}"`;
    case 'uint64':
      return `"${reader.bigint()}"`;
    case 'uint32':
      return String(reader.int64());
  }
}
