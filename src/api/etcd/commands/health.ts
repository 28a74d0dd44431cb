// gRPC's own health service: whether this server answers writes and linearizable reads. It knows the server as a whole
// and no service by name, as etcd does.

import type { Bytes } from '../../../shared/bytes.js';
import { decodeMessage, encodeMessage } from '../codec/generated-codec.js';
import type { EtcdContext } from '../context.js';
import { grpc } from '../generated/messages.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { answer, type MethodEntries, unary, within } from '../grpc-methods.js';
import type { LeaderMonitor } from '../leader-monitor.js';

const pb = grpc.health.v1;
const { SERVING, NOT_SERVING, SERVICE_UNKNOWN } = pb.HealthCheckResponse.ServingStatus;

export function healthMethods(context: EtcdContext, monitor: LeaderMonitor): MethodEntries {
  return [
    unary(context, '/grpc.health.v1.Health/Check', (call, request) => check(monitor, call, request)),
    unary(context, '/grpc.health.v1.Health/Watch', (call, request) => watch(context, monitor, call, request)),
  ];
}

function check(monitor: LeaderMonitor, call: GrpcCall, bytes: Bytes): void {
  if (namesServer(bytes)) answer(call, health(monitor.isServing));
  else call.fail(grpcStatus.notFound, 'unknown service');
}

/** What holds now and every change of it, until the client has enough. */
function watch(context: EtcdContext, monitor: LeaderMonitor, call: GrpcCall, bytes: Bytes): void {
  if (!namesServer(bytes)) {
    call.send(encodeMessage(pb.HealthCheckResponse, { status: SERVICE_UNKNOWN }));
    return;
  }
  call.send(health(monitor.isServing));
  const changed = within(context, call, (serving: boolean) => void call.send(health(serving)));
  call.onCancelled(monitor.onServingChanged(changed));
}

function namesServer(bytes: Bytes): boolean {
  return (decodeMessage(pb.HealthCheckRequest, bytes).service ?? '') === '';
}

function health(serving: boolean): Bytes {
  return encodeMessage(pb.HealthCheckResponse, { status: serving ? SERVING : NOT_SERVING });
}
