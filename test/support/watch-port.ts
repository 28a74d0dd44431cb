// The service Watch over a real port and a real tree, and a client of it by @grpc/grpc-js.

import type { ClientDuplexStream } from '@grpc/grpc-js';
import { decodeMessage, encodeMessage } from '../../src/api/etcd/codec/generated-codec.js';
import { int64Of, numberOf } from '../../src/api/etcd/codec/int64.js';
import { watchMethods } from '../../src/api/etcd/commands/watch.js';
import { plainAddresses } from '../../src/api/etcd/context.js';
import { etcdserverpb as pb } from '../../src/api/etcd/generated/messages.js';
import { ResponseHeaders } from '../../src/api/etcd/response-headers.js';
import { type Limits, limits } from '../../src/config/limits.js';
import { ClientPort } from '../../src/server/client-port.js';
import { createStoreService } from '../../src/service/service.js';
import type { StoreService } from '../../src/service/store-service.js';
import type { Command, CommandResult } from '../../src/tree/command.js';
import { quietLog } from './client-port-bench.js';
import { GrpcTestClient } from './grpc-test-client.js';
import { SingleNode } from './single-node.js';

export class WatchPort {
  readonly node = new SingleNode();
  readonly service: StoreService;
  readonly port: ClientPort;
  private readonly clients: GrpcTestClient[] = [];

  private constructor(changed: Partial<Limits>) {
    const bounds: Limits = { ...limits, ...changed };
    const { node } = this;
    this.service = createStoreService(node, { scheduler: node.scheduler, limits: bounds });
    const { service } = this;
    const headers = new ResponseHeaders(service);
    this.port = new ClientPort({ config: { listen: { request: '127.0.0.1:0' }, limits: bounds }, log: quietLog });
    const methods = new Map(
      watchMethods({
        service,
        limits: bounds,
        guard: this.port.guard,
        headers,
        addresses: plainAddresses,
        actorOf: () => undefined,
      }),
    );
    this.port.serve({ service, methods });
  }

  static async open(changed: Partial<Limits> = {}): Promise<WatchPort> {
    const port = new WatchPort(changed);
    await port.port.listen();
    return port;
  }

  /** A stream on a connection of its own. */
  stream(metadata: Readonly<Record<string, string>> = {}): WatchClient {
    const client = new GrpcTestClient(this.port.boundPort);
    this.clients.push(client);
    return new WatchClient(client.stream('/etcdserverpb.Watch/Watch', { metadata }));
  }

  write(command: Command): Promise<CommandResult> {
    return new Promise((resolve) => this.service.write({ command }, 10_000, resolve));
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    await this.port.close();
  }
}

export interface WatchCreation {
  readonly key: string;
  readonly rangeEnd?: string;
  readonly start?: number;
  readonly id?: number;
  readonly prevKv?: boolean;
  readonly fragment?: boolean;
}

export class WatchClient {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  readonly responses: pb.WatchResponse[] = [];
  created = 0;
  private readonly told = new Map<number, number[]>();
  /** gRPC's code that the stream ended with. */
  endedWith: number | null = null;

  constructor(stream: ClientDuplexStream<Buffer, Buffer>) {
    this.stream = stream;
    stream.on('data', (message: Buffer) => this.take(decodeMessage(pb.WatchResponse, message)));
    stream.on('error', () => undefined);
    stream.on('status', ({ code }) => {
      this.endedWith = code;
    });
  }

  send(request: pb.IWatchRequest): void {
    this.stream.write(Buffer.from(encodeMessage(pb.WatchRequest, request)));
  }

  create({ key, rangeEnd = '', start = 0, id = 0, prevKv = false, fragment = false }: WatchCreation): void {
    const range = { key: Buffer.from(key), range_end: Buffer.from(rangeEnd) };
    const numbers = { start_revision: int64Of(start), watch_id: int64Of(id) };
    this.send({ create_request: { ...range, ...numbers, prev_kv: prevKv, fragment } });
  }

  /** Revisions of the events that a watch was told, in order. */
  revisions(id = 0): readonly number[] {
    return this.told.get(id) ?? [];
  }

  private take(response: pb.WatchResponse): void {
    this.responses.push(response);
    if (response.created) this.created++;
    const id = numberOf(response.watch_id);
    const told = this.told.get(id) ?? [];
    this.told.set(id, told);
    for (const { kv } of response.events ?? []) told.push(numberOf(kv?.mod_revision));
  }
}
