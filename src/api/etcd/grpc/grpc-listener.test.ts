// gRPC calls over the client port, made by @grpc/grpc-js.

import { afterEach, describe, expect, it } from 'vitest';
import { ClientPortBench, until } from '../../../../test/support/client-port-bench.js';
import { GrpcTestClient, outcomeOf } from '../../../../test/support/grpc-test-client.js';
import { TestMethods } from '../../../../test/support/grpc-test-methods.js';
import { type Limits, limits } from '../../../config/limits.js';

interface Setup {
  readonly bench: ClientPortBench;
  readonly client: GrpcTestClient;
  readonly test: TestMethods;
}

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits> = {}): Promise<Setup> {
  const test = new TestMethods();
  const bench = await ClientPortBench.open(overrides, { methods: test.methods });
  opened.push(bench);
  const client = new GrpcTestClient(bench.port.boundPort);
  bench.onClose(() => client.close());
  return { bench, client, test };
}

describe('a unary call', () => {
  it('is answered, whatever the size of its messages', async () => {
    const { client, bench } = await setup();
    for (const bytes of [0, 1, 100, 16_384, 16_385, 65_535, 300_000, limits.requestFrameBytesMax]) {
      const message = Buffer.alloc(bytes, 'abcdefg');
      expect(Buffer.compare(await client.unary('/test.Echo/Unary', message), message)).toBe(0);
      expect(Buffer.compare(await client.unary('/test.Echo/Pieces', message), message)).toBe(0);
    }
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('can fail with a status and any text', async () => {
    const { client } = await setup();
    await expect(client.unary('/test.Echo/Fail', 'x')).rejects.toMatchObject({
      code: 11,
      details: 'etcdserver: 100 % wrong – ünd so weiter',
    });
  });

  it('of an unknown method is told so in the words of grpc-go', async () => {
    const { client } = await setup();
    const textOf = (path: string): Promise<unknown> =>
      client.unary(path, 'x').catch(({ code, details }) => ({ code, details }));
    expect(await textOf('/test.Other/Unary')).toEqual({ code: 12, details: 'unknown service test.Other' });
    expect(await textOf('/test.Echo/Other')).toEqual({
      code: 12,
      details: 'unknown method Other for service test.Echo',
    });
    expect(await textOf('/nonsense')).toEqual({ code: 12, details: 'malformed method name: "/nonsense"' });
  });

  it('with a message past the bound is refused by its prefix', async () => {
    const { client, bench, test } = await setup();
    const bytes = limits.requestFrameBytesMax + 1;
    await expect(client.unary('/test.Echo/Unary', Buffer.alloc(bytes))).rejects.toMatchObject({
      code: 8,
      details: `grpc: received message larger than max (${bytes} vs. ${limits.requestFrameBytesMax})`,
    });
    expect(test.calls.length).toBe(0);
    expect(await client.unary('/test.Echo/Unary', 'next')).toEqual(Buffer.from('next'));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('sees its headers and its timeout', async () => {
    const { client, test } = await setup();
    await client.unary('/test.Echo/Unary', 'x', { metadata: { token: 'abc' }, timeoutMs: 60_000 });
    const [call] = test.calls;
    expect(call?.path).toBe('/test.Echo/Unary');
    expect(call?.header('token')).toBe('abc');
    expect(call?.header('other')).toBeUndefined();
    expect(call?.timeoutMs).toBeGreaterThan(10_000);
    expect(call?.timeoutMs).toBeLessThanOrEqual(60_000);
    expect(call?.commonName).toBeUndefined();
    await client.unary('/test.Echo/Unary', 'x');
    expect(test.calls[1]?.timeoutMs).toBe(0);
  });

  it('that its client gives up tells its method, and nothing is held', async () => {
    const { client, bench, test } = await setup();
    // On a busy machine the time of one may be over before it has left.
    while (test.calls.length === 0) {
      await expect(client.unary('/test.Echo/Hang', 'x', { timeoutMs: 50 })).rejects.toMatchObject({ code: 4 });
    }
    await until(() => test.events.includes('cancelled /test.Echo/Hang'));
    expect(test.calls[0]?.over).toBe(true);
    expect(test.calls[0]?.send(new Uint8Array(1))).toBe(false);
    test.calls[0]?.finish();
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('is one of a thousand on a connection', async () => {
    const { client, bench } = await setup();
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) => client.unary('/test.Echo/Unary', `call ${index}`)),
    );
    expect(answers.map(String)).toEqual(Array.from({ length: 1_000 }, (_, index) => `call ${index}`));
    expect(bench.port.connectionCount).toBe(1);
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });
});

describe('a stream', () => {
  it('carries messages both ways until the client has no more', async () => {
    const { client, test, bench } = await setup();
    const call = client.stream('/test.Echo/Stream');
    const outcome = outcomeOf(call);
    const sent = ['one', 'two', '', 'x'.repeat(200_000)];
    for (const message of sent) call.write(Buffer.from(message));
    call.end();
    const { status, messages } = await outcome;
    expect(status.code).toBe(0);
    expect(messages.map(String)).toEqual(sent);
    expect(test.events).toEqual(['half-closed']);
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('that fails while the client would go on ends with the status', async () => {
    const { client, test, bench } = await setup();
    const call = client.stream('/test.Echo/Stream');
    const outcome = outcomeOf(call);
    call.write(Buffer.from('one'));
    call.write(Buffer.from('fail'));
    const { status, messages } = await outcome;
    expect(status).toMatchObject({ code: 10, details: 'as asked' });
    expect(messages.map(String)).toEqual(['one']);
    await until(() => bench.port.callCount === 0);
    expect(test.events).toEqual([]);
  });

  it('that fails at its first message ends with one frame', async () => {
    const { client, bench } = await setup();
    const call = client.stream('/test.Echo/Stream');
    const outcome = outcomeOf(call);
    call.write(Buffer.from('fail'));
    expect((await outcome).status).toMatchObject({ code: 10, details: 'as asked' });
    await until(() => bench.port.callCount === 0);
  });

  it('that is cancelled tells its method, and nothing is held', async () => {
    const { client, test, bench } = await setup();
    const call = client.stream('/test.Echo/Listen');
    const outcome = outcomeOf(call);
    call.write(Buffer.from('one'));
    await until(() => test.calls.length === 1);
    call.cancel();
    expect((await outcome).status.code).toBe(1);
    await until(() => test.events.includes('cancelled /test.Echo/Listen'));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('whose client is killed in the middle tells its method, and nothing is held', async () => {
    const { client, test, bench } = await setup();
    const outcome = outcomeOf(client.serverStream('/test.Echo/Flood', '1000000 1000'));
    await until(() => test.calls.length === 1);
    client.close();
    bench.port.closeConnections();
    expect((await outcome).status.code).not.toBe(0);
    await until(() => test.events.includes('cancelled /test.Echo/Flood'));
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });

  it('past its deadline ends with it', async () => {
    const { client, test, bench } = await setup();
    while (test.calls.length === 0) {
      const outcome = outcomeOf(client.stream('/test.Echo/Listen', { timeoutMs: 60 }));
      expect((await outcome).status.code).toBe(4);
    }
    await until(() => test.events.includes('cancelled /test.Echo/Listen'));
    await until(() => bench.port.callCount === 0);
  });

  it('that is not read from holds a bounded amount, and loses nothing once it is read', async () => {
    const { client, bench } = await setup();
    const count = 400;
    const call = client.serverStream('/test.Echo/Flood', `${count} 100000`);
    let received = 0;
    let last = 0;
    call.on('error', () => undefined);
    call.pause();
    call.on('data', (message: Buffer) => {
      received++;
      last = message[0] ?? 0;
    });
    const done = new Promise<number>((resolve) => call.on('status', ({ code }) => resolve(code)));
    await until(() => bench.port.heldBytes > limits.grpcStreamQueueBytesMax / 2);
    // Other calls of the connection go on meanwhile.
    expect(String(await client.unary('/test.Echo/Unary', 'other'))).toBe('other');
    expect(bench.port.heldBytes).toBeLessThan(limits.grpcStreamQueueBytesMax + 200_000);
    expect(received).toBeLessThan(count);
    call.resume();
    expect(await done).toBe(0);
    expect(received).toBe(count);
    expect(last).toBe(count & 0xff);
    await until(() => bench.port.callCount === 0 && bench.port.heldBytes === 0);
  });
});

describe('a node that stops', () => {
  it('ends streams, lets answers of unary calls out, and closes the connections', async () => {
    const { client, bench, test } = await setup();
    const outcome = outcomeOf(client.stream('/test.Echo/Stream'));
    const hanging = client.unary('/test.Echo/Hang', 'x');
    await until(() => test.calls.length === 2);
    const closed = bench.port.close();
    expect((await outcome).status).toMatchObject({ code: 14, details: 'etcdserver: server stopped' });
    const waiting = test.calls.find(({ path }) => path === '/test.Echo/Hang');
    waiting?.send(new Uint8Array([7]));
    waiting?.finish();
    expect(await hanging).toEqual(Buffer.from([7]));
    await closed;
    await until(() => bench.port.connectionCount === 0);
  });

  it('closes connections whose calls do not end', async () => {
    const { client, bench, test } = await setup();
    const hanging = client.unary('/test.Echo/Hang', 'x').catch(({ code }) => code);
    await until(() => test.calls.length === 1);
    await bench.port.close();
    expect(await hanging).toBe(14);
    await until(() => test.events.length > 0);
    expect(test.events).toEqual(['cancelled /test.Echo/Hang']);
    await until(() => bench.port.connectionCount === 0 && bench.port.callCount === 0);
  });
});

describe('connections past the limit', () => {
  it('are told so', async () => {
    const { bench } = await setup({ clientConnectionsMax: 1 });
    await bench.connect();
    const client = new GrpcTestClient(bench.port.boundPort);
    bench.onClose(() => client.close());
    await expect(client.unary('/test.Echo/Unary', 'x')).rejects.toMatchObject({ code: 14 });
    await until(() => bench.port.connectionCount === 1);
  });
});
