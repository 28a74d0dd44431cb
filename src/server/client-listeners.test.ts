// Several addresses of one client port: which protocols each takes, with TLS and without, and what they share.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ClientPortBench, exchange, quietLog, until } from '../../test/support/client-port-bench.js';
import { NativeTestClient, setOf, textOf } from '../../test/support/native-test-client.js';
import { testCertificate } from '../../test/support/test-certificates.js';
import type { HttpRoute } from '../api/http-handler.js';
import { type Limits, limits } from '../config/limits.js';
import type { ClientListenerConfig, ClientTlsConfig } from '../config/node-config.js';
import { encodePreface } from '../wire/native-framing.js';
import { ClientPort } from './client-port.js';

const certificate = testCertificate('the server');
const directory = mkdtempSync(join(tmpdir(), 'zabtree-listeners-'));
const opened: ClientPortBench[] = [];
afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});
afterAll(() => rmSync(directory, { recursive: true }));

const address = '127.0.0.1:0';
const http2Preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const route = (prefix: string): HttpRoute => ({
  prefix,
  handle: ({ path }, response) => {
    response.answer(200, {}, `this is ${path}`);
    return true;
  },
});

async function setup(
  furtherListeners: readonly ClientListenerConfig[],
  { clientTls, ...overrides }: Partial<Limits> & { readonly clientTls?: ClientTlsConfig } = {},
): Promise<ClientPortBench> {
  const services = { routes: [route('/version')], monitorRoutes: [route('/metrics')] };
  const tls = clientTls === undefined ? {} : { clientTls };
  const bench = await ClientPortBench.open(overrides, { furtherListeners, ...services, ...tls });
  opened.push(bench);
  return bench;
}

function clientTls(): ClientTlsConfig {
  const [certFile, keyFile] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  writeFileSync(certFile, certificate.cert);
  writeFileSync(keyFile, certificate.key);
  return { certFile, keyFile, trustedCaFile: undefined, clientCertAuth: false, allowPlain: false };
}

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

async function plain(port: number | undefined, path: string): Promise<string> {
  return textOf(await exchange(port ?? 0, get(path)));
}

/** What comes back inside TLS; nothing when there is none. */
function secure(port: number | undefined, path: string): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ port: port ?? 0, host: '127.0.0.1', rejectUnauthorized: false });
    socket.setEncoding('latin1').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
    socket.write(get(path));
  });
}

describe('an address for clients besides the first', () => {
  it('serves what the first serves', async () => {
    const bench = await setup([{ address, tls: 'none', serves: 'clients' }]);
    const [first, second] = bench.port.boundPorts;
    expect(second).not.toBe(first);
    expect(await plain(second, '/version')).toContain('this is /version');
    const client = await NativeTestClient.connect(second ?? 0);
    bench.onClose(() => client.close());
    expect(await client.ask(setOf('a', '1'))).toMatchObject({ code: 'OK' });
    expect(await plain(second, '/metrics')).toContain('404');
  });

  it('counts its connections with those of the others', async () => {
    const bench = await setup([{ address, tls: 'none', serves: 'clients' }], { clientConnectionsMax: 1 });
    const [first = 0, second = 0] = bench.port.boundPorts;
    const client = await NativeTestClient.connect(second);
    bench.onClose(() => client.close());
    expect(bench.port.connectionCount).toBe(1);
    expect(await plain(first, '/version')).toMatch(/^HTTP\/1\.1 503 /);
  });

  it('takes TLS or not as it says, whatever the others take', async () => {
    const doors = (['none', 'allowed', 'required'] as const).map((tls) => ({
      address,
      tls,
      serves: 'clients' as const,
    }));
    const bench = await setup(doors, { clientTls: clientTls() });
    const [first, none, allowed, required] = bench.port.boundPorts;
    expect(await plain(first, '/version')).toContain('with TLS only');
    expect(await secure(first, '/version')).toContain('this is /version');
    expect(await plain(none, '/version')).toContain('this is /version');
    expect(await secure(none, '/version')).toBe('');
    expect(await plain(allowed, '/version')).toContain('this is /version');
    expect(await secure(allowed, '/version')).toContain('this is /version');
    expect(await plain(required, '/version')).toContain('with TLS only');
  });

  it('is not bound where another one cannot be had', async () => {
    const bench = await setup([]);
    const taken = `127.0.0.1:${bench.port.boundPort}`;
    const config = { listen: { request: address }, limits };
    const furtherListeners = [{ address: taken, tls: 'none', serves: 'clients' }] as const;
    const port = new ClientPort({ config: { ...config, furtherListeners }, log: quietLog });
    await expect(port.listen()).rejects.toThrow(`Cannot listen for clients on ${taken}: the port is in use`);
    expect(port.boundPorts).toEqual([0, 0]);
  });
});

describe('an address for monitors', () => {
  it('tells of metrics and health and of nothing else', async () => {
    const bench = await setup([{ address, tls: 'none', serves: 'monitors' }]);
    const [first, second = 0] = bench.port.boundPorts;
    expect(await plain(second, '/metrics')).toContain('this is /metrics');
    for (const path of ['/version', '/healthz', '/v1/ws', '/v3/kv/range', '/'])
      expect(await plain(second, path)).toMatch(/^HTTP\/1\.1 404 /);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA';
    const request = `GET /v1/ws HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n\r\n`;
    expect(textOf(await exchange(second, request))).toMatch(/^HTTP\/1\.1 404 /);
    expect(textOf(await exchange(second, http2Preface))).toContain('metrics and health only');
    expect(textOf(await exchange(second, encodePreface()))).toContain('metrics and health only');
    expect(await plain(first, '/version')).toContain('this is /version');
  });

  it('may have TLS, and closes with the others', async () => {
    const bench = await setup([{ address, tls: 'required', serves: 'monitors' }], { clientTls: clientTls() });
    const [first, second = 0] = bench.port.boundPorts;
    expect(await secure(second, '/metrics')).toContain('this is /metrics');
    expect(await secure(second, '/version')).toMatch(/^HTTP\/1\.1 404 /);
    expect(await secure(first, '/version')).toContain('this is /version');
    const silent = connectPlain({ port: second, host: '127.0.0.1' });
    silent.on('error', () => undefined);
    await until(() => bench.port.connectionCount === 1);
    await bench.port.close();
    await until(() => silent.closed && bench.port.connectionCount === 0);
  });
});
