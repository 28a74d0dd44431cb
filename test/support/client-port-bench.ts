// The client port over real sockets and a real tree, for tests of front ends: opens it on a free port and closes all
// that a test opened.

import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { type Limits, limits } from '../../src/config/limits.js';
import type { ClientListenerConfig, ClientTlsConfig } from '../../src/config/node-config.js';
import { createLog } from '../../src/observability/log.js';
import { ClientPort, type ClientServices } from '../../src/server/client-port.js';
import { createStoreService } from '../../src/service/service.js';
import type { StoreService } from '../../src/service/store-service.js';
import { NativeTestClient } from './native-test-client.js';
import { SingleNode } from './single-node.js';

export const quietLog = createLog({ level: 'error', format: 'text' });
/** For errors that a test brings about. */
export const muteLog = createLog({ level: 'error', format: 'text', stream: new PassThrough().resume() });

export interface BenchOptions extends Omit<ClientServices, 'service'> {
  /** Exceptions of front ends are what the test is about; otherwise there must be none. */
  readonly exceptionsExpected?: boolean;
  /** In the place of that of the bench's own node. */
  readonly serviceOf?: (service: StoreService) => StoreService;
  readonly clientTls?: ClientTlsConfig;
  readonly furtherListeners?: readonly ClientListenerConfig[];
}

export class ClientPortBench {
  readonly node: SingleNode;
  readonly service: StoreService;
  readonly port: ClientPort;
  readonly #exceptionsExpected: boolean;
  readonly #closing: (() => void | Promise<void>)[] = [];

  private constructor(overrides: Partial<Limits>, options: BenchOptions) {
    const { clientTls, furtherListeners = [], exceptionsExpected = false, serviceOf, ...services } = options;
    this.#exceptionsExpected = exceptionsExpected;
    this.node = new SingleNode();
    const allLimits: Limits = { ...limits, ...overrides };
    const service = createStoreService(this.node, { scheduler: this.node.scheduler, limits: allLimits });
    this.service = serviceOf?.(service) ?? service;
    const config = { listen: { request: '127.0.0.1:0' }, limits: allLimits, clientTls, furtherListeners };
    this.port = new ClientPort({ config, log: exceptionsExpected ? muteLog : quietLog });
    this.port.serve({ service: this.service, ...services });
  }

  static async open(overrides: Partial<Limits> = {}, options: BenchOptions = {}): Promise<ClientPortBench> {
    const bench = new ClientPortBench(overrides, options);
    await bench.port.listen();
    return bench;
  }

  /** A client that has been greeted. */
  async connect(): Promise<NativeTestClient> {
    const client = await NativeTestClient.connect(this.port.boundPort);
    this.onClose(() => client.close());
    return client;
  }

  onClose(close: () => void | Promise<void>): void {
    this.#closing.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close();
    await this.port.close();
    const { counts } = this.port.guard;
    const met = Object.values(counts).some((count) => count > 0);
    if (met && !this.#exceptionsExpected) throw new Error(`A front end met exceptions: ${JSON.stringify(counts)}`);
  }
}

/** Looks once a turn until the condition holds. */
export async function until(holds: () => boolean): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > endMs) throw new Error('Waited 10 s in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Sends bytes over a socket of its own and resolves with all that came back until the server closed it. */
export function exchange(port: number, bytes: Uint8Array | string): Promise<Uint8Array> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(new Uint8Array(Buffer.concat(chunks))));
    socket.write(bytes);
  });
}
