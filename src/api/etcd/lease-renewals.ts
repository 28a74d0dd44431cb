// One stream of lease renewals: each message renews a lease and is answered once that is confirmed. Renewals that arrive
// together are asked for together, so that they cost one confirmation of leadership; how many may wait is bounded.

import type { Bytes } from '../../shared/bytes.js';
import { ProtoReader } from '../../wire/protobuf/proto-reader.js';
import { decodeLeaseKeepAliveRequest, encodeLeaseKeepAliveResponse } from './codec/lease-keep-alive.js';
import type { ResponseHeader } from './codec/response-header.js';
import type { EtcdContext } from './context.js';
import { EtcdError, etcdFailures } from './errors.js';
import type { GrpcCall, MessageStream } from './grpc/grpc-call.js';
import { envelopeOf, failCall, failWithCode, outputOf } from './grpc-methods.js';

export class LeaseRenewals implements MessageStream {
  private readonly context: EtcdContext;
  private readonly call: GrpcCall;
  private waiting = 0;
  private ending = false;

  constructor(context: EtcdContext, call: GrpcCall) {
    this.context = context;
    this.call = call;
  }

  message(message: Bytes): void {
    const { context, call } = this;
    const { service, limits, headers } = context;
    const id = decodeLeaseKeepAliveRequest(new ProtoReader(message));
    if (this.waiting >= limits.requestsInFlightPerConnectionMax) throw new EtcdError(etcdFailures.tooManyRequests);
    // Of the state before: nobody shall see a renewal at a later revision than that which revoked the lease.
    const header = headers.now();
    this.waiting++;
    service.write(envelopeOf(context, call, { type: 'leaseKeepAlive', id }), 0, (result) => {
      this.waiting--;
      try {
        if (call.over) return;
        if (result.code === 'OK') this.answer(header, outputOf(result, 'leaseKeepAlive'));
        else failWithCode(call, result.code);
      } catch (error) {
        failCall(context, call, error);
      }
    });
  }

  halfClosed(): void {
    this.ending = true;
    if (this.waiting === 0) this.call.finish();
  }

  private answer(header: ResponseHeader, renewed: { readonly id: bigint; readonly ttlSeconds: number }): void {
    this.call.send(encodeLeaseKeepAliveResponse(header, renewed));
    if (this.ending && this.waiting === 0) this.call.finish();
  }
}
