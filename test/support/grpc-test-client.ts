// @grpc/grpc-js as a client of byte strings, without generated code.

import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';

export interface CallOptions {
  readonly timeoutMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

const plain = (bytes: Buffer): Buffer => bytes;

export class GrpcTestClient {
  readonly client: Client;

  constructor(port: number, options: { readonly credentials?: ChannelCredentials; readonly host?: string } = {}) {
    const address = `${options.host ?? '127.0.0.1'}:${port}`;
    this.client = new Client(address, options.credentials ?? credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.enable_retries': 0,
      // Each a connection of its own.
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  /** Resolves with the answer, rejects with the status. */
  unary(path: string, request: Uint8Array | string, options: CallOptions = {}): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        path,
        plain,
        plain,
        Buffer.from(request),
        metadataOf(options),
        deadlineOf(options),
        (error: ServiceError | null, answer?: Buffer) => {
          if (error === null) resolve(answer ?? Buffer.alloc(0));
          else reject(error);
        },
      );
    });
  }

  serverStream(path: string, request: Uint8Array | string, options: CallOptions = {}): ClientReadableStream<Buffer> {
    const { client } = this;
    return client.makeServerStreamRequest(
      path,
      plain,
      plain,
      Buffer.from(request),
      metadataOf(options),
      deadlineOf(options),
    );
  }

  stream(path: string, options: CallOptions = {}): ClientDuplexStream<Buffer, Buffer> {
    return this.client.makeBidiStreamRequest(path, plain, plain, metadataOf(options), deadlineOf(options));
  }

  close(): void {
    this.client.close();
  }
}

/** The status that a streaming call ended with, and what came before it. */
export function outcomeOf(
  call: ClientReadableStream<Buffer>,
): Promise<{ readonly status: StatusObject; readonly messages: readonly Buffer[] }> {
  return new Promise((resolve) => {
    const messages: Buffer[] = [];
    call.on('data', (message: Buffer) => messages.push(message));
    call.on('error', () => undefined);
    call.on('status', (status) => resolve({ status, messages }));
  });
}

function metadataOf({ metadata = {} }: CallOptions): Metadata {
  const result = new Metadata();
  for (const [name, value] of Object.entries(metadata)) result.set(name, value);
  return result;
}

function deadlineOf({ timeoutMs }: CallOptions): { deadline?: number } {
  return timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs };
}
