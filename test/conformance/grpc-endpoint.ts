// One server of etcd's API as a client of gRPC sees it, by the official client library for Node.

import { Client, type ClientDuplexStream, credentials, type ServiceError } from '@grpc/grpc-js';
import { bytesOf, methodShape, type Plain, plainOf } from './etcd-messages.js';

/** What a call came to: an answer, or gRPC's code and text. */
export type Answer =
  | { readonly type: 'response'; readonly message: Plain }
  | { readonly type: 'error'; readonly code: number; readonly text: string };

const deadlineMs = 20_000;

export class GrpcEndpoint {
  readonly name: string;
  private readonly client: Client;

  constructor(name: string, address: string) {
    this.name = name;
    this.client = new Client(address, credentials.createInsecure(), { 'grpc.max_receive_message_length': -1 });
  }

  call(path: string, request: Plain): Promise<Answer> {
    const shape = methodShape(path);
    return new Promise((resolve) => {
      this.client.makeUnaryRequest(
        path,
        (plain: Plain) => Buffer.from(bytesOf(shape.request, plain)),
        (bytes: Buffer) => plainOf(shape.response, bytes),
        request,
        { deadline: Date.now() + deadlineMs },
        (error: ServiceError | null, message: Plain | undefined) => {
          if (error !== null) resolve({ type: 'error', code: error.code, text: error.details });
          else resolve({ type: 'response', message: message ?? {} });
        },
      );
    });
  }

  stream(path: string): ClientDuplexStream<Plain, Plain> {
    const shape = methodShape(path);
    return this.client.makeBidiStreamRequest(
      path,
      (plain: Plain) => Buffer.from(bytesOf(shape.request, plain)),
      (bytes: Buffer) => plainOf(shape.response, bytes),
    );
  }

  close(): void {
    this.client.close();
  }
}
