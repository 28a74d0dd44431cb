// A record as etcd's KeyValue. Written by hand: every answer with records is made of these.

import type { KeyRecord } from '../../../tree/store.js';
import { bytesFieldSize, type ProtoWriter, varintFieldSize, varintSize } from '../../../wire/protobuf/proto-writer.js';

/** Of the message, without its tag and length. */
function keyValueSize(record: KeyRecord): number {
  return (
    bytesFieldSize(record.key.length) +
    varintFieldSize(record.createRevision) +
    varintFieldSize(record.modRevision) +
    varintFieldSize(record.version) +
    bytesFieldSize(record.value.length) +
    leaseFieldSize(record.lease)
  );
}

/** Of the whole field; the field's number is at most 15. */
export function keyValueFieldSize(record: KeyRecord): number {
  const size = keyValueSize(record);
  return 1 + varintSize(size) + size;
}

export function writeKeyValueField(writer: ProtoWriter, field: number, record: KeyRecord): void {
  writer.messageHeader(field, keyValueSize(record));
  writer.bytesField(1, record.key);
  writer.varintField(2, record.createRevision);
  writer.varintField(3, record.modRevision);
  writer.varintField(4, record.version);
  writer.bytesField(5, record.value);
  writer.bigintField(6, record.lease);
}

function leaseFieldSize(lease: bigint): number {
  if (lease === 0n) return 0;
  let size = 2;
  for (let rest = BigInt.asUintN(64, lease) >> 7n; rest > 0n; rest >>= 7n) size++;
  return size;
}
