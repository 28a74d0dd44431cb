import { connect } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { ClientPortBench, exchange, quietLog, until } from '../../test/support/client-port-bench.js';
import { NativeTestClient, setOf, textOf, watchOf } from '../../test/support/native-test-client.js';
import { type Limits, limits } from '../config/limits.js';
import { readFrame } from '../wire/native-frame-decoder.js';
import { encodePreface, FrameSplitter, frameOf } from '../wire/native-framing.js';
import type { NativeFrame } from '../wire/native-messages.js';
import { writeRequestFrame } from '../wire/native-request-codec.js';
import { ProtoReader } from '../wire/protobuf/proto-reader.js';
import { ProtoWriter } from '../wire/protobuf/proto-writer.js';
import { ClientPort } from './client-port.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits> = {}): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open(overrides);
  opened.push(bench);
  return bench;
}

function framesIn(stream: Uint8Array): NativeFrame[] {
  const splitter = new FrameSplitter(2 ** 26);
  splitter.push(stream);
  splitter.take(8);
  const frames: NativeFrame[] = [];
  for (let body = splitter.next(); body !== undefined; body = splitter.next())
    frames.push(readFrame(new ProtoReader(body)));
  return frames;
}

describe('hostile bytes', () => {
  it('an oversized frame is refused with the limit before it has arrived, and the connection closed', async () => {
    const { port } = await setup();
    const bytes = Uint8Array.of(...encodePreface(), 0x7f, 0xff, 0xff, 0xff);
    const frames = framesIn(await exchange(port.boundPort, bytes));
    expect(frames[1]).toMatchObject({
      id: 0,
      code: 'TOO_LARGE',
      message: 'Cannot take a frame of 2147483647 bytes: the limit is 2097152',
    });
  });

  it('a malformed request is refused with a reason, and the connection closed', async () => {
    const { port } = await setup();
    const bytes = Uint8Array.of(...encodePreface(), ...frameOf(Uint8Array.of(8, 1, 0x1a, 200)));
    const frames = framesIn(await exchange(port.boundPort, bytes));
    expect(frames[1]).toMatchObject({ id: 0, code: 'INVALID_ARGUMENT' });
    expect(frames[1]?.message).toContain('Cannot decode');
  });

  it('an empty frame is refused like any malformed one', async () => {
    const { port } = await setup();
    const frames = framesIn(await exchange(port.boundPort, Uint8Array.of(...encodePreface(), 0, 0, 0, 0)));
    expect(frames[1]).toMatchObject({ id: 0, code: 'INVALID_ARGUMENT' });
  });

  it('a preface of another protocol or of an unknown version is refused', async () => {
    const { port } = await setup();
    expect(await exchange(port.boundPort, Uint8Array.of(0xfa, 1, 2, 3, 4, 5, 6, 7))).toEqual(new Uint8Array(0));
    expect(await exchange(port.boundPort, Uint8Array.of(0x16, 3, 1, 0))).toEqual(new Uint8Array(0));
    expect(await exchange(port.boundPort, Uint8Array.of(0, 0, 0))).toEqual(new Uint8Array(0));
    const frames = framesIn(await exchange(port.boundPort, encodePreface(0)));
    expect(frames).toMatchObject([{ code: 'UNSUPPORTED' }]);
  });

  it('a newer version is answered with the version that is spoken here', async () => {
    const bench = await setup();
    const client = await NativeTestClient.connect(bench.port.boundPort, { greet: false });
    bench.onClose(() => client.close());
    client.socket.write(encodePreface(9));
    expect((await client.take(() => true)).payload).toMatchObject({ type: 'hello', protocolVersion: 1 });
  });

  it('random bytes after the preface never hurt another connection', async () => {
    const bench = await setup();
    const witness = await bench.connect();
    for (let round = 0; round < 30; round++) {
      const junk = new Uint8Array(200).map((_, index) => (index * 7919 + round * 104_729) & 0xff);
      const body = Uint8Array.of(...encodePreface(), ...frameOf(junk));
      await exchange(bench.port.boundPort, body);
    }
    expect(await witness.ask(setOf('a', '1'))).toMatchObject({ code: 'OK' });
    await until(() => bench.port.connectionCount === 1);
  });
});

describe('connections', () => {
  it('that say nothing, or begin and stop, are closed after a bounded time', async () => {
    const { port } = await setup({ handshakeTimeoutMs: 50 });
    const beginnings = ['', 'GET /healthz HTTP/1.1\r\nHost: a\r\n', encodePreface().subarray(0, 3)];
    const answers = await Promise.all(beginnings.map((bytes) => exchange(port.boundPort, bytes)));
    for (const answer of answers) expect(answer.length).toBe(0);
    await until(() => port.connectionCount === 0);
  });

  it('past the limit are told so; far past it they are closed without a word', async () => {
    const bench = await setup({ clientConnectionsMax: 2, clientRefusalsMax: 1 });
    const first = await bench.connect();
    await bench.connect();
    const refused = framesIn(await exchange(bench.port.boundPort, encodePreface()));
    expect(refused).toMatchObject([{ code: 'OVERLOADED', id: 0 }]);
    expect(refused[0]?.message).toContain('2 client connections');
    await until(() => bench.port.connectionCount === 2);
    expect(textOf(await exchange(bench.port.boundPort, 'GET /healthz HTTP/1.1\r\n\r\n'))).toMatch(/^HTTP\/1\.1 503 /);
    await until(() => bench.port.connectionCount === 2);
    const silent = connect({ port: bench.port.boundPort, host: '127.0.0.1' });
    bench.onClose(() => void silent.destroy());
    await until(() => bench.port.connectionCount === 3);
    expect(await exchange(bench.port.boundPort, encodePreface())).toEqual(new Uint8Array(0));
    expect(await first.ask(setOf('a', '1'))).toMatchObject({ code: 'OK' });
  });

  it('are told when the node stops, and closed', async () => {
    const bench = await setup();
    const client = await bench.connect();
    await client.ask(watchOf(''));
    await bench.port.close();
    const last = await client.take((frame) => frame.id === 0);
    expect(last).toMatchObject({ code: 'UNAVAILABLE', message: 'This node is stopping' });
    await client.until(() => client.closed);
    await until(() => bench.port.connectionCount === 0);
  });

  it('are sent away until there is a service', async () => {
    const bench = await setup();
    const port = new ClientPort({ config: { listen: { request: '127.0.0.1:0' }, limits }, log: quietLog });
    bench.onClose(() => port.close());
    await port.listen();
    expect(await exchange(port.boundPort, encodePreface())).toEqual(new Uint8Array(0));
    expect(port.connectionCount).toBe(0);
    port.serve({ service: bench.service });
    expect(textOf(await exchange(port.boundPort, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'))).toMatch(/ 200 /);
  });

  it('listen() names the address and the reason when it cannot be had', async () => {
    const bench = await setup();
    const { port } = bench;
    const listen = (request: string): Promise<void> =>
      new ClientPort({ config: { listen: { request }, limits }, log: quietLog }).listen();
    const taken = `127.0.0.1:${port.boundPort}`;
    await expect(listen(taken)).rejects.toThrow(`Cannot listen for clients on ${taken}: the port is in use`);
    await expect(listen('nonsense')).rejects.toThrow(/no port/);
  });
});

describe('HTTP', () => {
  it('answers /healthz by whether the node serves', async () => {
    const { node, port } = await setup();
    const url = `http://127.0.0.1:${port.boundPort}`;
    const healthy = await fetch(`${url}/healthz`);
    expect(healthy.status).toBe(200);
    expect(await healthy.json()).toMatchObject({ serving: true, role: 'leader', revision: 1 });
    node.serving = false;
    const unwell = await fetch(`${url}/healthz`);
    expect(unwell.status).toBe(503);
    expect(await unwell.json()).toMatchObject({ serving: false, role: 'looking' });
    expect((await fetch(`${url}/healthz`, { method: 'HEAD' })).status).toBe(503);
    expect((await fetch(`${url}/healthz`, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await fetch(`${url}/nothing?here`)).status).toBe(404);
    expect((await fetch(`${url}/v1/ws`)).status).toBe(426);
    expect(textOf(await exchange(port.boundPort, 'NONSENSE\r\n\r\n'))).toMatch(/^HTTP\/1\.1 400 /);
    await until(() => port.connectionCount === 0);
  });
});

describe('HTTP beyond its one request', () => {
  it('is not parsed: of thousands of pipelined requests the first is answered', async () => {
    const { port, service } = await setup();
    const status = vi.spyOn(service, 'status');
    const request = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
    const answer = textOf(await exchange(port.boundPort, request.repeat(5_000)));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer.match(/HTTP\/1\.1/g)?.length).toBe(1);
    expect(status).toHaveBeenCalledTimes(1);
    await until(() => port.connectionCount === 0);
  });

  it('headers that do not end within their bound are refused', async () => {
    const { port } = await setup();
    const answer = await exchange(port.boundPort, `GET /healthz HTTP/1.1\r\n${'x: y\r\n'.repeat(20_000)}`);
    expect(textOf(answer)).toMatch(/^HTTP\/1\.1 431 /);
    await until(() => port.connectionCount === 0);
  });

  it('a head that comes a byte at a time is one', async () => {
    const { port } = await setup();
    const socket = connect({ port: port.boundPort, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    for (const byte of 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n') {
      await new Promise((resolve) => socket.write(byte, resolve));
    }
    await until(() => /^HTTP\/1\.1 200 [\s\S]*"serving":true/.test(answer));
    await until(() => port.connectionCount === 0);
  });
});

describe('WebSocket', () => {
  function openSocket(port: number, options: { readonly path?: string; readonly origin?: string } = {}): WebSocket {
    const socket = new WebSocket(
      `ws://127.0.0.1:${port}${options.path ?? '/v1/ws'}`,
      options.origin === undefined ? {} : { origin: options.origin },
    );
    opened.at(-1)?.onClose(() => socket.terminate());
    return socket;
  }

  function outcome(socket: WebSocket): Promise<string> {
    return new Promise((resolve) => {
      socket.once('open', () => resolve('open'));
      socket.once('unexpected-response', (_, response) => resolve(String(response.statusCode)));
      socket.on('error', () => undefined);
    });
  }

  it('carries the same stream, however it is cut into messages', async () => {
    const { port } = await setup();
    const socket = openSocket(port.boundPort);
    const splitter = new FrameSplitter(2 ** 22);
    const frames: NativeFrame[] = [];
    let greeted = false;
    socket.on('message', (data: Buffer) => {
      splitter.push(data);
      if (!greeted) greeted = splitter.take(8) !== undefined;
      for (let body = splitter.next(); body !== undefined; body = splitter.next())
        frames.push(readFrame(new ProtoReader(body)));
    });
    await outcome(socket);
    const writer = new ProtoWriter(64);
    writeRequestFrame(writer, { id: 1, timeoutMs: 0, body: setOf('a', 'over a WebSocket') });
    writeRequestFrame(writer, { id: 2, timeoutMs: 0, body: watchOf('', { fromRevision: 2 }) });
    const stream = Buffer.concat([encodePreface(), writer.finish()]);
    for (let at = 0; at < stream.length; at += 11) socket.send(stream.subarray(at, at + 11));
    await until(() => frames.length === 4);
    expect(frames.map((frame) => frame.payload.type)).toEqual(['hello', 'none', 'none', 'watchEvents']);
  });

  it('that is not read from is not sent more than a bounded amount, and loses nothing', async () => {
    const bench = await setup();
    const socket = openSocket(bench.port.boundPort);
    const splitter = new FrameSplitter(2 ** 22);
    let greeted = false;
    let events = 0;
    socket.on('message', (data: Buffer) => {
      splitter.push(new Uint8Array(data));
      if (!greeted) greeted = splitter.take(8) !== undefined;
      for (let body = splitter.next(); body !== undefined; body = splitter.next()) {
        const { payload } = readFrame(new ProtoReader(body));
        if (payload.type === 'watchEvents') events += payload.events.length;
      }
    });
    await outcome(socket);
    const request = new ProtoWriter(64);
    writeRequestFrame(request, { id: 1, timeoutMs: 0, body: watchOf('') });
    socket.send(Buffer.concat([encodePreface(), request.finish()]));
    await until(() => greeted);
    socket.pause();
    const writer = await bench.connect();
    const value = new Uint8Array(100_000);
    let heldBytesMost = 0;
    for (let index = 0; index < 150; index++) {
      await writer.ask(setOf('k', value));
      heldBytesMost = Math.max(heldBytesMost, bench.port.heldBytes);
    }
    expect(heldBytesMost).toBeLessThan(limits.watchQueueBytesMax + limits.watchPageBytes + 300_000);
    expect(events).toBeLessThan(150);
    socket.resume();
    await until(() => events === 150);
  });

  it('with messages that never end takes a bounded sum of memory for a bounded time', async () => {
    const { port } = await setup({ clientArrivalBytesTotalMax: 2_200_000, requestArrivalTimeoutMs: 300 });
    const piece = new Uint8Array(50_000);
    const sockets = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const socket = openSocket(port.boundPort);
        await outcome(socket);
        socket.send(encodePreface());
        return socket;
      }),
    );
    let closed = 0;
    for (const socket of sockets) socket.once('close', () => closed++);
    for (let count = 0; count < 36; count++) for (const socket of sockets) socket.send(piece, { fin: false });
    let heldBytesMost = 0;
    await until(() => {
      heldBytesMost = Math.max(heldBytesMost, port.heldBytes);
      return closed === sockets.length;
    });
    expect(heldBytesMost).toBeGreaterThan(100_000);
    // One at a time has found room; each other is stopped within a few reads of its socket. 36 MB were sent.
    expect(heldBytesMost).toBeLessThan(2 * 2_200_000 + 20 * 4 * 65_536);
    await until(() => port.heldBytes === 0);
  });

  it('is taken from this very origin or from none, at its path alone', async () => {
    const { port } = await setup();
    const { boundPort } = port;
    expect(await outcome(openSocket(boundPort, { origin: `http://127.0.0.1:${boundPort}` }))).toBe('open');
    expect(await outcome(openSocket(boundPort, { origin: 'http://elsewhere.example' }))).toBe('403');
    expect(await outcome(openSocket(boundPort, { origin: 'null' }))).toBe('403');
    expect(await outcome(openSocket(boundPort, { path: '/other' }))).toBe('404');
  });

  it('with text or an oversized message is closed', async () => {
    const { port } = await setup();
    const codes = await Promise.all(
      ['text', new Uint8Array(limits.requestFrameBytesMax + 5)].map(async (message) => {
        const socket = openSocket(port.boundPort);
        await outcome(socket);
        const closed = new Promise<number>((resolve) => socket.once('close', resolve));
        socket.send(message);
        return closed;
      }),
    );
    expect(codes[0]).toBe(1003);
    expect([1006, 1009]).toContain(codes[1]);
    await until(() => port.connectionCount === 0);
  });
});
