// The list of leases in the native protocol ↔ protobuf bytes, by hand: there may be more of them than generated code takes.

import type { Bytes } from '../shared/bytes.js';
import type { Zxid } from '../shared/ids.js';
import type { NativeRequestBody } from './native-messages.js';
import type { ProtoReader } from './protobuf/proto-reader.js';
import type { ProtoWriter } from './protobuf/proto-writer.js';
import { WireError } from './protobuf/wire-error.js';

type ListLeases = Extract<NativeRequestBody, { type: 'listLeases' }>;

const idBytes = 8;

/** Writes the fields of zabtree.native.ListLeases. */
export function writeListLeases(writer: ProtoWriter, { local, seen }: ListLeases): void {
  writer.boolField(1, local);
  writer.varintField(2, seen);
}

/** Reads up to the end of the reader's current message. */
export function readListLeases(reader: ProtoReader): ListLeases {
  let local = false;
  let seen = 0;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) local = reader.bool();
    else if (field === 2) seen = reader.varint();
    else reader.skip();
  }
  return { type: 'listLeases', local, seen: seen as Zxid };
}

/** Writes the fields of zabtree.native.LeaseList. */
export function writeLeaseList(writer: ProtoWriter, ids: readonly bigint[]): void {
  const packed = new Uint8Array(ids.length * idBytes);
  const view = new DataView(packed.buffer);
  for (const [index, id] of ids.entries()) view.setBigInt64(index * idBytes, id, true);
  writer.bytesField(1, packed);
}

/** Reads up to the end of the reader's current message. */
export function readLeaseList(reader: ProtoReader): readonly bigint[] {
  const ids: bigint[] = [];
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) addIds(ids, reader.bytesView());
    else reader.skip();
  }
  return ids;
}

function addIds(ids: bigint[], packed: Bytes): void {
  if (packed.length % idBytes !== 0) throw new WireError('Cannot decode a list of leases: an id is not whole');
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  for (let offset = 0; offset < packed.length; offset += idBytes) ids.push(view.getBigInt64(offset, true));
}
