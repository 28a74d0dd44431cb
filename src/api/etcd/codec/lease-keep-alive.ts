// Renewals of leases as bytes, by hand: clients send them without end, one for each lease every few seconds.

import type { Bytes } from '../../../shared/bytes.js';
import type { ProtoReader } from '../../../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../../../wire/protobuf/proto-writer.js';
import { headerFieldSize, type ResponseHeader, writeHeaderField } from './response-header.js';

/** Id and time to live, with their tags, and what a writer wants to have free. */
const restBytes = 40;

/** The lease's id. */
export function decodeLeaseKeepAliveRequest(reader: ProtoReader): bigint {
  let id = 0n;
  for (let field = reader.nextField(); field !== 0; field = reader.nextField()) {
    if (field === 1) id = BigInt.asIntN(64, reader.bigint());
    else reader.skip();
  }
  return id;
}

export function encodeLeaseKeepAliveResponse(
  header: ResponseHeader,
  { id, ttlSeconds }: { readonly id: bigint; readonly ttlSeconds: number },
): Bytes {
  const writer = new ProtoWriter(headerFieldSize(header) + restBytes);
  writeHeaderField(writer, header);
  writer.bigintField(2, id);
  writer.varintField(3, ttlSeconds);
  return writer.written();
}
