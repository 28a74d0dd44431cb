// A client port with methods for tests behind it, raw HTTP/2 connections and gRPC clients to it: all is closed when the
// test ends.

import { onTestFinished } from 'vitest';
import type { Limits } from '../../src/config/limits.js';
import { ClientPortBench } from './client-port-bench.js';
import { GrpcTestClient } from './grpc-test-client.js';
import { TestMethods } from './grpc-test-methods.js';
import { RawHttp2 } from './raw-http2.js';

export interface GrpcPortBench {
  readonly bench: ClientPortBench;
  readonly test: TestMethods;
  readonly raw: () => RawHttp2;
  readonly client: () => GrpcTestClient;
}

export async function openGrpcPort(overrides: Partial<Limits> = {}): Promise<GrpcPortBench> {
  const test = new TestMethods();
  const bench = await ClientPortBench.open(overrides, { methods: test.methods });
  onTestFinished(() => bench.close());
  return {
    bench,
    test,
    raw: () => {
      const raw = new RawHttp2(bench.port.boundPort);
      bench.onClose(() => void raw.socket.destroy());
      return raw;
    },
    client: () => {
      const client = new GrpcTestClient(bench.port.boundPort);
      bench.onClose(() => client.close());
      return client;
    },
  };
}
