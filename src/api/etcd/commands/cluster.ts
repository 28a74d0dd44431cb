// The service Cluster: who the members are. Changing them while the ensemble runs is not possible yet, and said so.

import type { Bytes } from '../../../shared/bytes.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { int64Of } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext, ShownAddresses } from '../context.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { answer, failCall, type MethodEntries, unary, within } from '../grpc-methods.js';
import { unimplemented } from './maintenance.js';

const changes = ['MemberAdd', 'MemberRemove', 'MemberUpdate', 'MemberPromote'] as const;

export function clusterMethods(context: EtcdContext): MethodEntries {
  return [
    unary(context, '/etcdserverpb.Cluster/MemberList', (call, request) => memberList(context, call, request)),
    ...changes.map((name) =>
      unary(context, `/etcdserverpb.Cluster/${name}`, () => {
        throw unimplemented('the members of a running ensemble cannot be changed');
      }),
    ),
  ];
}

function memberList(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const { linearizable } = decodeMessage(pb.MemberListRequest, bytes);
  if (linearizable !== true) {
    answerMembers(context, call);
    return;
  }
  context.service.barrier(
    call.timeoutMs,
    within(context, call, (error) => {
      if (call.over) return;
      if (error === null) answerMembers(context, call);
      else failCall(context, call, error);
    }),
  );
}

const plainAddresses: ShownAddresses = { clientScheme: 'http', peerScheme: 'http', nameOf: () => undefined };

function answerMembers({ service, headers, addresses = plainAddresses }: EtcdContext, call: GrpcCall): void {
  const members = service.status().members.map(({ id, messageAddr, requestAddr }) => ({
    ID: int64Of(id),
    // A member that was never heard of has neither a name nor an address for clients, as in etcd.
    name: requestAddr === undefined ? '' : (addresses.nameOf(id) ?? messageAddr),
    peerURLs: [`${addresses.peerScheme}://${messageAddr}`],
    clientURLs: requestAddr === undefined ? [] : [`${addresses.clientScheme}://${requestAddr}`],
  }));
  // The revision says nothing about members: etcd leaves it out.
  const header = headerFields(headers.at(0));
  answer(call, encodeMessage(pb.MemberListResponse, { header, members }));
}
