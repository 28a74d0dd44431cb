// One request of the gateway as the methods see a gRPC call. The answer to a unary one is told whole; of many answers each
// is a line. A deadline is kept here, as HTTP has none.

import { STATUS_CODES } from 'node:http';
import type { Bytes } from '../../../shared/bytes.js';
import { contained } from '../../front-end-guard.js';
import type { HttpRequest, HttpResponse } from '../../http-handler.js';
import type { GrpcCall } from '../grpc/grpc-call.js';
import { type GrpcStatus, grpcStatus } from '../grpc/grpc-status.js';
import { answerFailure, httpStatusOf, jsonHeaders } from './gateway-failure.js';
import { jsonOfBytes } from './message-json.js';
import type { MessageType } from './message-types.js';

export interface GatewayCallOptions {
  readonly path: string;
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly timeoutMs: number;
  readonly type: MessageType;
  readonly answersMany: boolean;
  /** A message of the answer, bytes: it is held whole while it becomes JSON. */
  readonly messageBytesMax: number;
}

export class GatewayCall implements GrpcCall {
  readonly path: string;
  readonly timeoutMs: number;
  readonly commonName: string | undefined;
  private readonly options: GatewayCallOptions;
  private readonly deadline: NodeJS.Timeout | null;
  /** The one answer of a unary call. */
  private whole: string | null = null;
  private begun = false;
  private ended = false;
  /** A message that comes in pieces. */
  private pieces: { readonly bytes: Uint8Array; filled: number } | null = null;
  private cancelled: (() => void) | null = null;

  constructor(options: GatewayCallOptions) {
    const { path, request, response, timeoutMs } = options;
    this.options = options;
    this.path = path;
    this.timeoutMs = timeoutMs;
    this.commonName = request.commonName;
    const expire = contained(response, () => this.expire());
    this.deadline = timeoutMs === 0 ? null : setTimeout(expire, timeoutMs);
    response.onGone(() => this.leave());
  }

  get over(): boolean {
    return this.ended || this.options.response.over;
  }

  /** What is metadata in gRPC has a prefix in HTTP, but for who asks. */
  header(name: string): string | undefined {
    const { request } = this.options;
    return request.header(`grpc-metadata-${name}`) ?? (name === 'authorization' ? request.header(name) : undefined);
  }

  send(message: Bytes): boolean {
    if (this.over) return true;
    const { response, type, answersMany } = this.options;
    if (!answersMany && !this.takesRoom(message.length)) return true;
    let json: string;
    try {
      json = jsonOfBytes(type, message);
    } catch (error) {
      response.broken(error);
      this.leave();
      return true;
    }
    if (!answersMany) {
      this.whole = json;
      return true;
    }
    response.reserve(0);
    this.begin(200);
    return response.send(`{"result":${json}}\n`);
  }

  beginMessage(byteLength: number): void {
    const { messageBytesMax } = this.options;
    if (byteLength <= messageBytesMax) {
      if (this.takesRoom(byteLength)) this.pieces = { bytes: new Uint8Array(byteLength), filled: 0 };
    } else {
      const text = `grpc: received message larger than max (${byteLength} vs. ${messageBytesMax})`;
      this.fail(grpcStatus.resourceExhausted, text);
    }
  }

  sendPiece(piece: Bytes): boolean {
    const { pieces } = this;
    if (this.over || pieces === null) return true;
    pieces.bytes.set(piece, pieces.filled);
    pieces.filled += piece.length;
    if (pieces.filled < pieces.bytes.length) return true;
    this.pieces = null;
    return this.send(pieces.bytes);
  }

  finish(): void {
    if (this.over) return;
    const { response, answersMany } = this.options;
    this.end();
    if (!answersMany) response.answer(200, jsonHeaders, this.whole ?? '{}');
    else {
      this.begin(200);
      response.finish();
    }
  }

  fail(status: GrpcStatus, message: string): void {
    if (this.over) return;
    const { response, answersMany } = this.options;
    this.end();
    if (!answersMany) {
      answerFailure(response, status, message);
      return;
    }
    const httpStatus = httpStatusOf(status);
    this.begin(httpStatus);
    const error = { grpc_code: status, http_code: httpStatus, message, http_status: STATUS_CODES[httpStatus] };
    response.send(`${JSON.stringify({ error })}\n`);
    response.finish();
  }

  stop(status: GrpcStatus, message: string): void {
    if (this.over) return;
    this.fail(status, message);
    this.cancelled?.();
  }

  onDrain(listener: () => void): void {
    this.options.response.onDrain(listener);
  }

  onCancelled(listener: () => void): void {
    this.cancelled = listener;
    if (this.over) listener();
  }

  /** Of what is held whole; it is given up where the clients together leave too much unread. */
  private takesRoom(bytes: number): boolean {
    if (this.options.response.reserve(bytes)) return true;
    this.stop(grpcStatus.unavailable, 'etcdserver: request timed out');
    return false;
  }

  private begin(status: number): void {
    if (this.begun) return;
    this.begun = true;
    this.options.response.begin(status, jsonHeaders);
  }

  private expire(): void {
    this.stop(grpcStatus.deadlineExceeded, 'context deadline exceeded');
  }

  private leave(): void {
    if (this.ended) return;
    this.end();
    this.cancelled?.();
  }

  private end(): void {
    this.ended = true;
    if (this.deadline !== null) clearTimeout(this.deadline);
  }
}
