// Every protocol of the client port inside TLS, certificates of clients, and files that change.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { credentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { ClientPortBench, exchange, until } from '../../test/support/client-port-bench.js';
import { GrpcTestClient } from '../../test/support/grpc-test-client.js';
import { TestMethods } from '../../test/support/grpc-test-methods.js';
import { textOf } from '../../test/support/native-test-client.js';
import { RawHttp2 } from '../../test/support/raw-http2.js';
import { type TestCertificate, testCertificate } from '../../test/support/test-certificates.js';
import type { HttpRoute } from '../api/http-handler.js';
import type { Limits } from '../config/limits.js';
import type { ClientTlsConfig } from '../config/node-config.js';
import { encodePreface } from '../wire/native-framing.js';

const authority = testCertificate('the authority');
const server = testCertificate('the server', authority);
const alice = testCertificate('alice', authority);
const stranger = testCertificate('stranger', testCertificate('another authority'));

let directory = '';
const opened: ClientPortBench[] = [];
const test = { current: new TestMethods() };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zabtree-tls-'));
  test.current = new TestMethods();
});

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
  rmSync(directory, { recursive: true, force: true });
});

const whoRoute: HttpRoute = {
  prefix: '/who',
  handle: (seen, response) => {
    response.answer(200, {}, seen.commonName ?? 'nobody');
    return true;
  },
};

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function setup(overrides: Partial<ClientTlsConfig> = {}, limits: Partial<Limits> = {}): Promise<ClientPortBench> {
  const clientTls: ClientTlsConfig = {
    certFile: put('server.pem', server.cert),
    keyFile: put('server.key', server.key),
    trustedCaFile: undefined,
    clientCertAuth: false,
    allowPlain: false,
    ...overrides,
  };
  const bench = await ClientPortBench.open(limits, { clientTls, methods: test.current.methods, routes: [whoRoute] });
  opened.push(bench);
  return bench;
}

function trusted(): string {
  return put('ca.pem', authority.cert);
}

function grpcClient(bench: ClientPortBench, client?: TestCertificate): GrpcTestClient {
  const made = new GrpcTestClient(bench.port.boundPort, {
    credentials: credentials.createSsl(
      Buffer.from(authority.cert),
      client === undefined ? null : Buffer.from(client.key),
      client === undefined ? null : Buffer.from(client.cert),
    ),
  });
  bench.onClose(() => made.close());
  return made;
}

/** What comes back for these bytes inside TLS. */
function secureExchange(bench: ClientPortBench, bytes: string | Uint8Array, client?: TestCertificate): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = secureSocket(bench, client);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.write(bytes);
  });
}

function secureSocket(bench: ClientPortBench, client?: TestCertificate): TLSSocket {
  const socket = connect({
    port: bench.port.boundPort,
    host: '127.0.0.1',
    ca: authority.cert,
    ...(client === undefined ? {} : { cert: client.cert, key: client.key }),
  });
  socket.on('error', () => undefined);
  bench.onClose(() => void socket.destroy());
  return socket;
}

describe('inside TLS', () => {
  it('gRPC is served, small and large', async () => {
    const bench = await setup();
    const client = grpcClient(bench);
    const large = Buffer.alloc(1_000_000, 'xyz');
    expect(String(await client.unary('/test.Echo/Unary', 'secret'))).toBe('secret');
    expect(Buffer.compare(await client.unary('/test.Echo/Unary', large), large)).toBe(0);
    expect(test.current.calls[0]?.commonName).toBeUndefined();
    expect(bench.port.connectionCount).toBe(1);
  });

  it('a quiet gRPC connection is pinged and stays', async () => {
    const bench = await setup({ allowPlain: true }, { grpcSilenceMsMax: 200 });
    await grpcClient(bench).unary('/test.Echo/Unary', 'x');
    // By the time at which one that came later is cut off.
    const silent = new RawHttp2(bench.port.boundPort).begin();
    await until(() => silent.closed);
    expect(bench.port.connectionCount).toBe(1);
  });

  it('HTTP/1.1 and WebSocket are served', async () => {
    const bench = await setup();
    const body = await new Promise<string>((resolve, reject) => {
      const url = `https://127.0.0.1:${bench.port.boundPort}/healthz`;
      const sent = request(url, { ca: authority.cert, method: 'GET' }, (answer) => {
        answer.on('data', (chunk: Buffer) => resolve(chunk.toString()));
      });
      sent.on('error', reject);
      sent.end();
    });
    expect(body).toContain('"serving":true');
    const socket = new WebSocket(`wss://127.0.0.1:${bench.port.boundPort}/v1/ws`, { ca: authority.cert });
    bench.onClose(() => socket.terminate());
    const greeting = new Promise<Buffer>((resolve) => socket.once('message', (data: Buffer) => resolve(data)));
    socket.once('open', () => socket.send(encodePreface()));
    expect((await greeting).subarray(0, 1)).toEqual(Buffer.from(encodePreface().subarray(0, 1)));
  });

  it('a client that knows HTTP/2 and HTTP/1.1 is told to speak the latter, since HTTP/2 carries gRPC alone', async () => {
    const bench = await setup();
    const chosen = (...protocols: readonly string[]): Promise<unknown> =>
      new Promise((resolve, reject) => {
        const options = { port: bench.port.boundPort, host: '127.0.0.1', ca: authority.cert };
        const socket = connect({ ...options, ALPNProtocols: [...protocols] }, () => {
          resolve(socket.alpnProtocol);
          socket.destroy();
        });
        socket.on('error', reject);
      });
    expect(await chosen('h2', 'http/1.1')).toBe('http/1.1');
    expect(await chosen('h2')).toBe('h2');
  });

  it('the native protocol is served', async () => {
    const bench = await setup();
    const socket = secureSocket(bench);
    const greeting = new Promise<Buffer>((resolve) => socket.once('data', (data: Buffer) => resolve(data)));
    socket.write(encodePreface());
    expect((await greeting)[0]).toBe(encodePreface()[0]);
  });

  it('another TLS, and what is no protocol, are closed', async () => {
    const bench = await setup();
    expect(await secureExchange(bench, Uint8Array.of(0x16, 3, 1, 0, 5))).toBe('');
    expect(await secureExchange(bench, Uint8Array.of(0, 1, 2))).toBe('');
    await until(() => bench.port.connectionCount === 0);
  });

  it('a handshake that does not come to its end is closed', async () => {
    const bench = await setup({}, { handshakeTimeoutMs: 100 });
    for (const bytes of [
      [0x16],
      [0x16, 3, 1, 0, 200],
      [0x16, 3, 1, 0, 4, 1, 2, 3, 4],
      [0x16, 0xff, 0xff, 0xff, 0xff],
    ]) {
      await exchange(bench.port.boundPort, Uint8Array.from(bytes));
    }
    // Nothing is said inside.
    const silent = secureSocket(bench);
    await new Promise((resolve) => silent.once('close', resolve));
    await until(() => bench.port.connectionCount === 0);
  });

  it('connections end when the port closes', async () => {
    const bench = await setup();
    const client = grpcClient(bench);
    const hanging = client.unary('/test.Echo/Hang', 'x').catch(({ code }) => code);
    await until(() => test.current.calls.length === 1);
    await bench.port.close();
    expect(await hanging).toBe(14);
    await until(() => bench.port.connectionCount === 0 && bench.port.callCount === 0);
  });
});

describe('without TLS', () => {
  it('clients are told that they need it', async () => {
    const bench = await setup();
    const { boundPort } = bench.port;
    expect(textOf(await exchange(boundPort, 'GET /who HTTP/1.1\r\n\r\n'))).toMatch(/^HTTP\/1\.1 400 [\s\S]*TLS only/);
    expect(textOf(await exchange(boundPort, encodePreface()))).toContain('TLS only');
    const client = new GrpcTestClient(boundPort);
    bench.onClose(() => client.close());
    await expect(client.unary('/test.Echo/Unary', 'x')).rejects.toMatchObject({ code: 14 });
  });

  it('clients are served where that is allowed', async () => {
    const bench = await setup({ allowPlain: true });
    const client = new GrpcTestClient(bench.port.boundPort);
    bench.onClose(() => client.close());
    expect(String(await client.unary('/test.Echo/Unary', 'plain'))).toBe('plain');
    expect(String(await grpcClient(bench).unary('/test.Echo/Unary', 'secure'))).toBe('secure');
  });
});

describe("a client's certificate", () => {
  it('names the client', async () => {
    const bench = await setup({ trustedCaFile: trusted(), clientCertAuth: true });
    await grpcClient(bench, alice).unary('/test.Echo/Unary', 'x');
    expect(test.current.calls[0]?.commonName).toBe('alice');
    expect(await secureExchange(bench, 'GET /who HTTP/1.1\r\nHost: a\r\n\r\n', alice)).toMatch(/alice$/);
  });

  it('is needed where that is configured, and has to be good', async () => {
    const bench = await setup({ trustedCaFile: trusted(), clientCertAuth: true });
    await expect(grpcClient(bench).unary('/test.Echo/Unary', 'x')).rejects.toMatchObject({ code: 14 });
    await expect(grpcClient(bench, stranger).unary('/test.Echo/Unary', 'x')).rejects.toMatchObject({ code: 14 });
    expect(test.current.calls.length).toBe(0);
  });

  it('may be missing otherwise, but not be bad', async () => {
    const bench = await setup({ trustedCaFile: trusted() });
    const who = 'GET /who HTTP/1.1\r\nHost: a\r\n\r\n';
    expect(await secureExchange(bench, who)).toMatch(/nobody$/);
    expect(await secureExchange(bench, who, alice)).toMatch(/alice$/);
    expect(await secureExchange(bench, who, stranger)).toBe('');
    await until(() => bench.port.connectionCount === 0);
  });
});

describe('files', () => {
  it('that change are used without a restart, unless they do not fit together', async () => {
    const bench = await setup();
    const nameSeen = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = secureSocket(bench);
        socket.once('secureConnect', () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        });
        socket.once('close', () => resolve('closed'));
      });
    expect(await nameSeen()).toBe('the server');
    const renewed = testCertificate('the renewed server', authority);
    put('server.pem', renewed.cert);
    expect(await nameSeen()).toBe('the server');
    put('server.key', renewed.key);
    let name = '';
    const endMs = performance.now() + 15_000;
    while (name !== 'the renewed server' && performance.now() < endMs) name = await nameSeen();
    expect(name).toBe('the renewed server');
  });

  it('that cannot be used are named', async () => {
    const missing = join(directory, 'missing.pem');
    await expect(setup({ certFile: missing })).rejects.toThrow(`Cannot read ClientTls.CertFile "${missing}": ENOENT`);
    const key = put('other.key', alice.key);
    await expect(setup({ keyFile: key })).rejects.toThrow(/^Cannot use the files of ClientTls: .*mismatch/);
    for (const nobody of ['', 'not PEM', alice.key]) {
      const trustedCaFile = put('nobody.pem', nobody);
      const message = `Cannot use ClientTls.TrustedCaFile "${trustedCaFile}": it holds no certificate (PEM)`;
      await expect(setup({ trustedCaFile })).rejects.toThrow(message);
    }
  });
});

it('TLS to a port without it is closed', async () => {
  const bench = await ClientPortBench.open();
  opened.push(bench);
  const socket = secureSocket(bench);
  await new Promise((resolve) => socket.once('close', resolve));
  const plain = connectPlain({ port: bench.port.boundPort, host: '127.0.0.1' });
  await new Promise((resolve) => plain.once('connect', resolve));
  plain.destroy();
});
