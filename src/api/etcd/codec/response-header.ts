// The header that every answer begins with. What is the same in all of a member's answers is encoded once.

import type { Bytes } from '../../../shared/bytes.js';
import { ProtoWriter, varintFieldSize, varintSize } from '../../../wire/protobuf/proto-writer.js';
import type { etcdserverpb } from '../generated/messages.js';
import { int64Of } from './int64.js';

/** Who answers, with its encoding as the header's first fields. */
export interface HeaderIdentity {
  readonly clusterId: bigint;
  readonly memberId: bigint;
  readonly encoded: Bytes;
}

export interface ResponseHeader {
  readonly identity: HeaderIdentity;
  /** Of the state that the answer is about. */
  readonly revision: number;
  /** The epoch, in etcd's words. */
  readonly raftTerm: number;
}

export function headerIdentity(clusterId: bigint, memberId: bigint): HeaderIdentity {
  const writer = new ProtoWriter(24);
  writer.bigintField(1, clusterId);
  writer.bigintField(2, memberId);
  return { clusterId, memberId, encoded: writer.finish() };
}

/** Of the whole field, whose number is 1 in every answer. */
export function headerFieldSize(header: ResponseHeader): number {
  const size = headerSize(header);
  return 1 + varintSize(size) + size;
}

export function writeHeaderField(writer: ProtoWriter, header: ResponseHeader): void {
  writer.messageHeader(1, headerSize(header));
  writer.raw(header.identity.encoded);
  writer.varintField(3, header.revision);
  writer.varintField(4, header.raftTerm);
}

/** For the generated encoders. */
export function headerFields(header: ResponseHeader): etcdserverpb.IResponseHeader {
  return {
    cluster_id: int64Of(header.identity.clusterId),
    member_id: int64Of(header.identity.memberId),
    revision: int64Of(header.revision),
    raft_term: int64Of(header.raftTerm),
  };
}

function headerSize(header: ResponseHeader): number {
  return header.identity.encoded.length + varintFieldSize(header.revision) + varintFieldSize(header.raftTerm);
}
