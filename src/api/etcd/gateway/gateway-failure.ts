// Failures as etcd's gateway tells them: the status of gRPC as one of HTTP, and a body of JSON.

import type { HttpResponse } from '../../http-handler.js';
import { type GrpcStatus, grpcStatus } from '../grpc/grpc-status.js';

const httpStatuses: Readonly<Record<GrpcStatus, number>> = {
  [grpcStatus.ok]: 200,
  [grpcStatus.cancelled]: 408,
  [grpcStatus.unknown]: 500,
  [grpcStatus.invalidArgument]: 400,
  [grpcStatus.deadlineExceeded]: 504,
  [grpcStatus.notFound]: 404,
  [grpcStatus.alreadyExists]: 409,
  [grpcStatus.permissionDenied]: 403,
  [grpcStatus.resourceExhausted]: 429,
  [grpcStatus.failedPrecondition]: 400,
  [grpcStatus.aborted]: 409,
  [grpcStatus.outOfRange]: 400,
  [grpcStatus.unimplemented]: 501,
  [grpcStatus.internal]: 500,
  [grpcStatus.unavailable]: 503,
  [grpcStatus.dataLoss]: 500,
  [grpcStatus.unauthenticated]: 401,
};

export const jsonHeaders = { 'content-type': 'application/json' } as const;

export function httpStatusOf(status: GrpcStatus): number {
  return httpStatuses[status];
}

export function answerFailure(response: HttpResponse, status: GrpcStatus, message: string): void {
  const body = JSON.stringify({ error: message, code: status, message });
  response.answer(httpStatusOf(status), jsonHeaders, body);
}
