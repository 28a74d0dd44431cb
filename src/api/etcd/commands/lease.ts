// The service Lease: grants, revokes, renews, describes and lists leases. What asks about one lease goes to the leader as
// a command, the reading too: what remains of a lease only the leader knows.

import type { StoreService } from '../../../service/store-service.js';
import type { Bytes } from '../../../shared/bytes.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import { bigintOf, int64Of, numberOf } from '../codec/int64.js';
import { headerFields } from '../codec/response-header.js';
import type { EtcdContext } from '../context.js';
import { etcdserverpb as pb } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import {
  answer,
  failCall,
  type MethodEntries,
  outputOf,
  readOptions,
  streaming,
  submit,
  unary,
  within,
} from '../grpc-methods.js';
import { LeaseRenewals } from '../lease-renewals.js';

export function leaseMethods(context: EtcdContext): MethodEntries {
  return [
    unary(context, '/etcdserverpb.Lease/LeaseGrant', (call, request) => grant(context, call, request)),
    unary(context, '/etcdserverpb.Lease/LeaseRevoke', (call, request) => revoke(context, call, request)),
    streaming(context, '/etcdserverpb.Lease/LeaseKeepAlive', (call) => new LeaseRenewals(context, call)),
    unary(context, '/etcdserverpb.Lease/LeaseTimeToLive', (call, request) => timeToLive(context, call, request)),
    unary(context, '/etcdserverpb.Lease/LeaseLeases', (call, request) => leases(context, call, request)),
  ];
}

function grant(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.LeaseGrantRequest, bytes);
  // Less than nothing is raised to the least like nothing.
  const ttlSeconds = Math.max(0, numberOf(request.TTL));
  submit(context, call, { type: 'leaseGrant', id: bigintOf(request.ID), ttlSeconds }, ({ headers }, result) => {
    const { id, ttlSeconds } = outputOf(result, 'leaseGrant');
    const header = headerFields(headers.at(result.revision));
    return encodeMessage(pb.LeaseGrantResponse, { header, ID: int64Of(id), TTL: int64Of(ttlSeconds) });
  });
}

function revoke(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.LeaseRevokeRequest, bytes);
  submit(context, call, { type: 'leaseRevoke', id: bigintOf(request.ID) }, ({ headers }, result) =>
    encodeMessage(pb.LeaseRevokeResponse, { header: headerFields(headers.at(result.revision)) }),
  );
}

function timeToLive(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  const request = decodeMessage(pb.LeaseTimeToLiveRequest, bytes);
  const id = bigintOf(request.ID);
  submit(context, call, { type: 'leaseTimeToLive', id, wantsKeys: request.keys ?? false }, ({ headers }, result) => {
    const { ttlSeconds, grantedSeconds, keys } = outputOf(result, 'leaseTimeToLive');
    return encodeMessage(pb.LeaseTimeToLiveResponse, {
      header: headerFields(headers.at(result.revision)),
      ID: int64Of(id),
      TTL: int64Of(ttlSeconds),
      grantedTTL: int64Of(grantedSeconds),
      keys: [...keys],
    });
  });
}

function leases(context: EtcdContext, call: GrpcCall, bytes: Bytes): void {
  decodeMessage(pb.LeaseLeasesRequest, bytes);
  const done: Parameters<StoreService['leases']>[1] = (error, result) => {
    if (call.over) return;
    if (error !== null || result === null) {
      failCall(context, call, error);
      return;
    }
    const header = headerFields(context.headers.at(result.revision));
    answer(
      call,
      encodeMessage(pb.LeaseLeasesResponse, { header, leases: result.ids.map((id) => ({ ID: int64Of(id) })) }),
    );
  };
  context.service.leases(readOptions(context, call, { local: false }), within(context, call, done));
}
