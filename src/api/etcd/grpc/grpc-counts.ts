// What has gone through the gRPC calls of a node, as plain numbers for the metrics page. Nothing but counting happens where
// they are raised.

import type { Bytes } from '../../../shared/bytes.js';
import type { GrpcMethods } from './grpc-call.js';
import { type GrpcStatus, grpcStatus } from './grpc-status.js';

export class MethodCounts {
  readonly path: string;
  readonly type: 'unary' | 'stream';
  started = 0;
  messagesReceived = 0;
  messagesSent = 0;
  /** Ended calls by status. */
  readonly handled: number[] = new Array(Object.keys(grpcStatus).length).fill(0);
  private readonly total: GrpcCounts;

  constructor(path: string, type: 'unary' | 'stream', total: GrpcCounts) {
    this.path = path;
    this.type = type;
    this.total = total;
  }

  received(message: Bytes): void {
    this.messagesReceived += 1;
    this.total.receivedBytes += message.length;
  }

  sent(bytes: number): void {
    this.messagesSent += 1;
    this.total.sentBytes += bytes;
  }

  ended(status: GrpcStatus): void {
    this.handled[status] = (this.handled[status] ?? 0) + 1;
  }
}

export class GrpcCounts {
  /** Bytes of messages, without what carries them. */
  receivedBytes = 0;
  sentBytes = 0;
  readonly methods: ReadonlyMap<string, MethodCounts>;

  constructor(methods: GrpcMethods) {
    this.methods = new Map([...methods].map(([path, { type }]) => [path, new MethodCounts(path, type, this)]));
  }
}
