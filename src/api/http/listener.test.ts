// Requests with bodies and the routing of paths, over real sockets.

import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { ClientPortBench, exchange, until } from '../../../test/support/client-port-bench.js';
import { textOf } from '../../../test/support/native-test-client.js';
import { type Limits, limits } from '../../config/limits.js';
import type { HttpRequest, HttpResponse, HttpRoute } from '../http-handler.js';

const opened: ClientPortBench[] = [];
/** Requests that the echo saw. */
let seen: HttpRequest[] = [];

const echo: HttpRoute = {
  prefix: '/v3/',
  handle: (request, response) => {
    if (request.path === '/v3/nothing') return false;
    seen.push(request);
    response.answer(200, { 'content-type': 'application/octet-stream' }, request.body);
    return true;
  },
};

afterEach(async () => {
  seen = [];
  for (const bench of opened.splice(0)) await bench.close();
});

async function setup(overrides: Partial<Limits> = {}, routes: readonly HttpRoute[] = [echo]): Promise<ClientPortBench> {
  const bench = await ClientPortBench.open(overrides, { routes });
  opened.push(bench);
  return bench;
}

function route(answer: (response: HttpResponse) => void): HttpRoute {
  return {
    prefix: '/',
    handle: (_, response) => {
      answer(response);
      return true;
    },
  };
}

function urlOf({ port }: ClientPortBench): string {
  return `http://127.0.0.1:${port.boundPort}`;
}

describe('a request', () => {
  it('reaches the handler of its path whole, with method, query and headers', async () => {
    const bench = await setup();
    const answer = await fetch(`${urlOf(bench)}/v3/kv/put?pretty=1&x=%20`, {
      method: 'POST',
      body: 'some text',
      headers: { 'X-Who': 'me' },
    });
    expect(await answer.text()).toBe('some text');
    const [request] = seen;
    expect(request?.method).toBe('POST');
    expect(request?.path).toBe('/v3/kv/put');
    expect(request?.query.get('pretty')).toBe('1');
    expect(request?.query.get('x')).toBe(' ');
    expect(request?.header('x-who')).toBe('me');
    expect(request?.header('x-other')).toBeUndefined();
    expect(request?.commonName).toBeUndefined();
  });

  it('to a path that nobody answers gets 404, whether a prefix fits or not', async () => {
    const bench = await setup();
    const answers = await Promise.all(
      ['/v3/nothing', '/v2/keys', '/'].map((path) => fetch(`${urlOf(bench)}${path}`, { method: 'POST', body: 'x' })),
    );
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
    expect(await answers[0]?.text()).toBe('Nothing is at /v3/nothing\n');
    await until(() => bench.port.connectionCount === 0);
  });

  it('of HEAD is answered without the body', async () => {
    const bench = await setup({}, [route((response) => response.answer(200, {}, 'seven b'))]);
    const answer = await fetch(`${urlOf(bench)}/some`, { method: 'HEAD' });
    expect(answer.headers.get('content-length')).toBe('7');
    expect(await answer.text()).toBe('');
  });
});

describe('a body', () => {
  it('of any size within the bound arrives, told by its length or in chunks', async () => {
    const bench = await setup();
    for (const bytes of [1, 1_023, 70_000, limits.httpBodyBytesMax]) {
      const body = new Uint8Array(bytes).map((_, index) => index * 7);
      for (const told of [true, false]) {
        const answer = await fetch(`${urlOf(bench)}/v3/x`, {
          method: 'POST',
          ...(told ? { body } : { body: new Blob([body]).stream(), duplex: 'half' }),
        } as RequestInit);
        expect(Buffer.compare(Buffer.from(await answer.arrayBuffer()), body)).toBe(0);
      }
    }
    await until(() => bench.port.connectionCount === 0);
    expect(bench.port.heldBytes).toBe(0);
  });

  it('past the bound is refused, before it is there when its length is told', async () => {
    const { port } = await setup({ httpBodyBytesMax: 1_000 });
    const told = `POST /v3/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n`;
    expect(textOf(await exchange(port.boundPort, told))).toMatch(/^HTTP\/1\.1 413 [\s\S]*may have 1000 bytes/);
    const chunk = `400\r\n${'x'.repeat(1_024)}\r\n`;
    const chunked = `POST /v3/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(50)}`;
    expect(textOf(await exchange(port.boundPort, chunked))).toMatch(/^HTTP\/1\.1 413 /);
    expect(seen.length).toBe(0);
    await until(() => port.connectionCount === 0);
  });

  it('that does not come is given up after a bounded time', async () => {
    const { port } = await setup({ requestArrivalTimeoutMs: 100 });
    const head = 'POST /v3/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc';
    expect(textOf(await exchange(port.boundPort, head))).toMatch(/^HTTP\/1\.1 408 /);
    await until(() => port.connectionCount === 0);
  });

  it('that is large waits for room, and finds it when others are done', async () => {
    const { port } = await setup({ clientArrivalBytesTotalMax: 400_000 });
    const large = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n${'x'.repeat(200_000)}`;
    const first = connect({ port: port.boundPort, host: '127.0.0.1' }).on('error', () => undefined);
    first.write(large('/v3/first'));
    const second = exchange(port.boundPort, `${large('/v3/second')}${'y'.repeat(100_000)}`);
    const small = await exchange(port.boundPort, 'POST /v3/small HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab');
    expect(textOf(small)).toMatch(/\r\n\r\nab$/);
    first.write('x'.repeat(100_000));
    expect((await second).length).toBeGreaterThan(300_000);
    expect(new Set(seen.map(({ path }) => path))).toEqual(new Set(['/v3/first', '/v3/second', '/v3/small']));
  });

  it('ends the request: what is pipelined behind it is answered by nobody', async () => {
    const { port } = await setup();
    const told = 'POST /v3/x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab';
    const chunked = 'POST /v3/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n';
    for (const request of [told, chunked]) {
      const answer = textOf(await exchange(port.boundPort, request.repeat(3_000)));
      expect(answer.match(/HTTP\/1\.1/g)?.length).toBe(1);
    }
    expect(seen.length).toBe(2);
  });
});

describe('an answer in pieces', () => {
  it('arrives piece by piece, and the handler learns that the client has gone', async () => {
    let gone = false;
    let given: HttpResponse | undefined;
    const bench = await setup({}, [
      route((response) => {
        given = response;
        response.onGone(() => {
          gone = true;
        });
        response.begin(200, { 'content-type': 'application/json' });
      }),
    ]);
    const socket = connect({ port: bench.port.boundPort, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.write('GET /watch HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n$/.test(text));
    given?.send('one');
    await until(() => text.includes('one'));
    given?.send('two');
    await until(() => text.includes('two'));
    expect(given?.over).toBe(false);
    socket.destroy();
    await until(() => gone);
    expect(given?.over).toBe(true);
    given?.send('three');
    given?.finish();
    await until(() => bench.port.connectionCount === 0);
  });

  it('says when there is no room and when there is again, and what is held is counted', async () => {
    let drained = 0;
    let given: HttpResponse | undefined;
    const { port } = await setup({}, [
      route((response) => {
        given = response;
        response.onDrain(() => drained++);
        response.begin(200, {});
      }),
    ]);
    const socket = connect({ port: port.boundPort, host: '127.0.0.1' });
    let received = 0;
    socket.write('GET /stream HTTP/1.1\r\nHost: a\r\n\r\n');
    await until(() => given !== undefined);
    socket.pause();
    let sent = 0;
    while (given?.send(new Uint8Array(100_000)) === true || sent < 8_000_000) sent += 100_000;
    await until(() => port.heldBytes > 100_000);
    expect(drained).toBe(0);
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.resume();
    await until(() => drained > 0 && port.heldBytes === 0 && received > sent);
    given?.finish();
    await until(() => port.connectionCount === 0);
  });
});
