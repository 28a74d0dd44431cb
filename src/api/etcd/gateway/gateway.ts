// etcd's API as JSON over HTTP: a request becomes the bytes that a gRPC client would have sent, goes to the same method,
// and what that answers becomes JSON. Knows the methods only by their paths.

import type { HttpRequest, HttpResponse, HttpRoute } from '../../http-handler.js';
import type { GrpcMethods } from '../grpc/grpc-call.js';
import { grpcStatus } from '../grpc/grpc-status.js';
import { GatewayCall } from './gateway-call.js';
import { answerFailure } from './gateway-failure.js';
import { deadlineOf } from './grpc-timeout.js';
import { JsonError, jsonValues } from './json-values.js';
import { bytesOfJson } from './message-json.js';
import { MessageTypes, type MethodType } from './message-types.js';
import { gatewayPaths, gatewayPrefix } from './paths.js';

export interface GatewayLimits {
  readonly gatewayMessageBytesMax: number;
  readonly requestsInFlightPerConnectionMax: number;
}

export function gatewayRoute(methods: GrpcMethods, limits: GatewayLimits): HttpRoute {
  const gateway = new Gateway(methods, limits);
  return { prefix: gatewayPrefix, handle: (request, response) => gateway.handle(request, response) };
}

const plainHeaders = { 'content-type': 'text/plain; charset=utf-8' } as const;

class Gateway {
  private readonly methods: GrpcMethods;
  private readonly limits: GatewayLimits;
  /** Made for the first request: most nodes never see one. */
  private types: MessageTypes | undefined;

  constructor(methods: GrpcMethods, limits: GatewayLimits) {
    this.methods = methods;
    this.limits = limits;
  }

  handle(request: HttpRequest, response: HttpResponse): boolean {
    const path = gatewayPaths.get(request.path);
    if (path === undefined) {
      response.answer(404, plainHeaders, 'Not Found\n');
      return true;
    }
    if (request.method !== 'POST') {
      response.answer(405, { ...plainHeaders, allow: 'POST' }, 'Method Not Allowed\n');
      return true;
    }
    this.types ??= new MessageTypes();
    try {
      this.call(path, this.types.method(path), request, response);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      answerFailure(response, grpcStatus.invalidArgument, error.message);
    }
    return true;
  }

  private call(path: string, type: MethodType, request: HttpRequest, response: HttpResponse): void {
    const method = this.methods.get(path);
    if (method === undefined) {
      answerFailure(response, grpcStatus.unimplemented, `unknown method ${path.slice(path.lastIndexOf('/') + 1)}`);
      return;
    }
    const timeoutMs = deadlineOf(request.header('grpc-timeout'));
    const text = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength).toString('utf8');
    const streams = method.type === 'stream';
    const values = jsonValues(text, streams ? this.limits.requestsInFlightPerConnectionMax : 1);
    const messages = values.map((value) => bytesOfJson(type.request, value));
    const call = new GatewayCall({
      path,
      request,
      response,
      timeoutMs,
      type: type.response,
      answersMany: streams || type.answersMany,
      messageBytesMax: this.limits.gatewayMessageBytesMax,
    });
    if (method.type === 'unary') {
      method.handle(call, messages[0] ?? bytesOfJson(type.request, {}));
      return;
    }
    const stream = method.open(call);
    for (const message of messages) if (!call.over) stream.message(message);
    if (!call.over) stream.halfClosed();
  }
}
