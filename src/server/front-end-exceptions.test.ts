// Exceptions that nobody expected, at every front end behind a real port: each costs its own call or connection, whoever
// called the code that threw, and no other.

import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { type BenchOptions, ClientPortBench, exchange, muteLog, until } from '../../test/support/client-port-bench.js';
import { GrpcTestClient } from '../../test/support/grpc-test-client.js';
import { answer } from '../../test/support/grpc-test-methods.js';
import { bytesOf, getOf, NativeTestClient, setOf, watchOf } from '../../test/support/native-test-client.js';
import { ArrivalBudget } from '../api/arrival-budget.js';
import type { GrpcCall, GrpcMethod } from '../api/etcd/grpc/grpc-call.js';
import { grpcStatus } from '../api/etcd/grpc/grpc-status.js';
import { contained, FrontEndGuard } from '../api/front-end-guard.js';
import type { HttpHandler } from '../api/http-handler.js';
import type { ByteStream, ByteStreamHandler } from '../api/native/byte-stream.js';
import { NativeListener } from '../api/native/listener.js';
import { QueueBudget } from '../api/queue-budget.js';
import { type Limits, limits } from '../config/limits.js';
import type { StoreService, WatchSink } from '../service/store-service.js';
import { CoreFailure } from '../shared/core-failure.js';
import { encodePreface } from '../wire/native-framing.js';
import { ClientPort } from './client-port.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(options: BenchOptions): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open({}, { exceptionsExpected: true, ...options });
  opened.push(bench);
  return bench;
}

const defect = new TypeError('as asked');
function fail(): never {
  throw defect;
}

describe('gRPC', () => {
  const unary = (handle: (call: GrpcCall, request: Uint8Array) => void): GrpcMethod => ({ type: 'unary', handle });
  const stream = (message: (call: GrpcCall) => void, halfClosed = fail): GrpcMethod => ({
    type: 'stream',
    open: (call) => ({ message: () => message(call), halfClosed }),
  });
  const methods = new Map<string, GrpcMethod>([
    ['/test.Echo/Unary', unary(answer)],
    ['/test.Bad/Handle', unary(fail)],
    ['/test.Bad/Open', { type: 'stream', open: fail }],
    ['/test.Bad/Message', stream(fail)],
    ['/test.Bad/HalfClosed', stream(() => undefined)],
    ['/test.Bad/Send', unary((call) => void call.send(null as unknown as Uint8Array))],
    ['/test.Bad/Cancelled', unary((call) => call.onCancelled(fail))],
    [
      '/test.Bad/Drained',
      unary((call) => {
        call.onDrain(fail);
        while (call.send(new Uint8Array(100_000)));
      }),
    ],
  ]);

  it.each(['Handle', 'Open', 'Message', 'HalfClosed', 'Drained'])(
    'a method that throws (%s) costs its call alone',
    async (name) => {
      const bench = await setup({ methods });
      const client = new GrpcTestClient(bench.port.boundPort);
      bench.onClose(() => client.close());
      const other = client.stream('/test.Bad/Message');
      other.on('error', () => undefined);
      let over = false;
      other.on('status', () => {
        over = true;
      });
      await client.unary('/test.Echo/Unary', 'before');
      const call =
        name === 'Drained' ? client.serverStream(`/test.Bad/${name}`, '') : client.stream(`/test.Bad/${name}`);
      call.on('data', () => undefined);
      call.on('error', () => undefined);
      const status = new Promise<{ code: number }>((resolve) => void call.on('status', resolve));
      if (call instanceof Duplex) {
        call.write(Buffer.from('x'));
        call.end();
      }
      expect((await status).code).toBe(grpcStatus.internal);
      expect(String(await client.unary('/test.Echo/Unary', 'after'))).toBe('after');
      expect(over).toBe(false);
      expect(bench.port.guard.counts.grpc).toBe(1);
      other.cancel();
      await until(() => bench.port.callCount === 0);
    },
  );

  it('a listener that throws when its client goes away keeps nobody from anything', async () => {
    const bench = await setup({ methods });
    const client = new GrpcTestClient(bench.port.boundPort);
    bench.onClose(() => client.close());
    const call = client.serverStream('/test.Bad/Cancelled', '');
    call.on('error', () => undefined);
    await until(() => bench.port.callCount === 1);
    call.cancel();
    await until(() => bench.port.callCount === 0);
    expect(String(await client.unary('/test.Echo/Unary', 'after'))).toBe('after');
    expect(bench.port.guard.counts.grpc).toBe(1);
  });

  it('what breaks while bytes are sent costs the connection, and no other', async () => {
    const bench = await setup({ methods });
    const client = new GrpcTestClient(bench.port.boundPort);
    const witness = new GrpcTestClient(bench.port.boundPort);
    bench.onClose(() => client.close());
    bench.onClose(() => witness.close());
    await witness.unary('/test.Echo/Unary', 'before');
    const lost = client.unary('/test.Bad/Send', '');
    await expect(lost).rejects.toMatchObject({ code: grpcStatus.unavailable });
    expect(String(await witness.unary('/test.Echo/Unary', 'after'))).toBe('after');
    expect(bench.port.guard.counts.grpc).toBe(1);
    await until(() => bench.port.connectionCount === 1 && bench.port.callCount === 0);
  });
});

describe('the native protocol', () => {
  const bad = bytesOf('bad');
  const isBad = (key: Uint8Array): boolean => Buffer.compare(key, bad) === 0;
  /** What the connection makes of it throws, in the middle of what the core does. */
  const serviceOf = (inner: StoreService): StoreService => {
    const poisoned: Pick<StoreService, 'get' | 'watch'> = {
      get: (key, options, done) =>
        inner.get(key, options, (error, result) => {
          if (result === null || !isBad(key)) done(error, result);
          else done(null, { ...result, record: { key } as never });
        }),
      watch: (start, sink) => {
        const events: WatchSink['events'] = () => sink.events([{} as never]);
        const wrapped: WatchSink = {
          ready: () => sink.ready(),
          events: isBad(start.from) ? events : (told) => sink.events(told),
          initial: (records, revision, last) => sink.initial(records, revision, last),
          ended: (error) => sink.ended(error),
        };
        return inner.watch(start, wrapped);
      },
    };
    return Object.assign(Object.create(inner) as StoreService, poisoned);
  };

  it('an answer that cannot be made costs the connection, which is told so', async () => {
    const bench = await setup({ serviceOf });
    const [client, witness] = [await bench.connect(), await bench.connect()];
    await client.ask(setOf('bad', '1'));
    client.send(getOf('bad'));
    const told = await client.take(({ id }) => id === 0);
    expect(told).toMatchObject({ code: 'INTERNAL' });
    await until(() => bench.port.connectionCount === 1);
    expect((await witness.ask(getOf('good'))).code).toBe('KEY_NOT_FOUND');
    expect(bench.port.guard.counts.native).toBe(1);
  });

  it('so does an event of a watch, and the commit that it came of goes on', async () => {
    const bench = await setup({ serviceOf });
    const [client, witness, writer] = [await bench.connect(), await bench.connect(), await bench.connect()];
    await client.ask(watchOf('bad'));
    await witness.ask(watchOf('b'));
    expect((await writer.ask(setOf('bad', '1'))).code).toBe('OK');
    await witness.take(({ payload }) => payload.type === 'watchEvents');
    expect(await client.take(({ id }) => id === 0)).toMatchObject({ code: 'INTERNAL' });
    await until(() => bench.port.connectionCount === 2);
    expect(bench.service.openWatches).toBe(1);
    expect(bench.port.guard.counts.native).toBe(1);
  });

  it('what comes out of the core is thrown on', () => {
    const failure = new CoreFailure(defect);
    const stream = new MemoryStream();
    const service = {
      appliedZxid: 0,
      revision: 1,
      status: () => {
        throw failure;
      },
    } as unknown as StoreService;
    const budget = new QueueBudget(limits.clientQueueBytesTotalMax, limits.clientAnswersBytesTotalMax);
    const arrivals = new ArrivalBudget(limits.clientArrivalBytesTotalMax);
    const guard = new FrontEndGuard(muteLog);
    const listener = new NativeListener({ service, limits, budget, arrivals, guard, log: muteLog });
    listener.accept(stream);
    expect(() => stream.handler?.received(encodePreface())).toThrow(failure);
    expect(guard.counts.native).toBe(0);
    stream.handler?.closed();
  });
});

class MemoryStream implements ByteStream {
  readonly address = '';
  readonly unsentBytes = 0;
  readonly unfinishedBytes = 0;
  handler: ByteStreamHandler | null = null;

  start(handler: ByteStreamHandler): void {
    this.handler = handler;
  }

  write(): boolean {
    return true;
  }

  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

describe('HTTP/1.1', () => {
  const route = (prefix: string, handle: HttpHandler) => ({ prefix, handle });
  const routes = [
    route('/good', (_, response) => {
      response.answer(200, {}, 'good');
      return true;
    }),
    route('/throws', fail),
    route('/later', (_, response) => {
      setImmediate(contained(response, fail));
      return true;
    }),
    route('/malformed', (_, response) => {
      setImmediate(() => response.answer(200, { 'no header': '' }, ''));
      return true;
    }),
    route('/midway', (_, response) => {
      response.begin(200, {});
      response.send('half');
      setImmediate(contained(response, fail));
      return true;
    }),
    route('/drained', (_, response) => {
      response.onDrain(fail);
      response.begin(200, {});
      while (response.send('x'.repeat(100_000)));
      return true;
    }),
  ];
  const get = async (bench: ClientPortBench, path: string): Promise<string> =>
    Buffer.from(await exchange(bench.port.boundPort, `GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`)).toString();

  it.each(['/throws', '/later', '/malformed'])('a handler that throws (%s) is answered with 500', async (path) => {
    const bench = await setup({ routes });
    expect(await get(bench, path)).toMatch(/^HTTP\/1.1 500 .*The server failed to handle this request\n$/s);
    expect(await get(bench, '/good')).toMatch(/^HTTP\/1.1 200 /);
    expect(bench.port.guard.counts.http).toBe(1);
    await until(() => bench.port.connectionCount === 0);
  });

  it.each(['/midway', '/drained'])('one that throws in the middle of its answer (%s) is cut off', async (path) => {
    const bench = await setup({ routes });
    expect(await get(bench, path)).not.toMatch(/\r\n0\r\n\r\n$/);
    expect(await get(bench, '/good')).toMatch(/^HTTP\/1.1 200 /);
    expect(bench.port.guard.counts.http).toBe(1);
    await until(() => bench.port.connectionCount === 0);
  });
});

it('the port itself closes a connection that it cannot tell the protocol of, and goes on', async () => {
  let spoilt = false;
  const changed = Object.defineProperty({ ...limits }, 'handshakeTimeoutMs', {
    get: () => (spoilt ? fail() : limits.handshakeTimeoutMs),
  }) as Limits;
  const port = new ClientPort({ config: { listen: { request: '127.0.0.1:0' }, limits: changed }, log: muteLog });
  const bench = await setup({});
  port.serve({ service: bench.service });
  await port.listen();
  bench.onClose(() => port.close());
  spoilt = true;
  const socket = connect({ port: port.boundPort, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.on('close', resolve));
  expect(port.guard.counts.port).toBe(1);
  spoilt = false;
  const client = await NativeTestClient.connect(port.boundPort);
  bench.onClose(() => client.close());
  expect((await client.ask(getOf('good'))).code).toBe('KEY_NOT_FOUND');
});
