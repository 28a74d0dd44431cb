// Clients that others wrote, over the network: Node's, and where they are installed nghttp2's and curl's.

import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { benchSettings, echo, TestRequest } from '../../test/support/http2-bench.js';
import { Http2Connection } from './http2-connection.js';
import { SlabPool } from './outbox.js';

const run = promisify(execFile);
let server: Server;
let port = 0;

beforeAll(async () => {
  const slabs = new SlabPool();
  server = createServer({ noDelay: true }, (socket) => {
    new Http2Connection(socket, {
      settings: benchSettings,
      handshakeTimeoutMs: 10_000,
      slabs,
      host: {
        request: (stream, fields) => {
          const request = new TestRequest(stream, fields, echo);
          stream.handler = request;
          echo.begun?.(request);
        },
        chunkTaken: () => undefined,
        closed: () => undefined,
        broken: (error) => {
          throw error;
        },
      },
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
});

afterAll(() => {
  server.close();
});

describe("Node's client", () => {
  it('gets small answers and one of 2 MiB side by side', async () => {
    const session = connect(`http://127.0.0.1:${port}`);
    const call = async (body: Buffer): Promise<Buffer> => {
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      const trailers = once(stream, 'trailers');
      stream.end(body);
      const closed = once(stream, 'close');
      const [fields] = await trailers;
      expect(fields).toMatchObject({ result: '0' });
      await closed;
      return Buffer.concat(chunks);
    };
    const large = Buffer.alloc(2 * 2 ** 20, 'large');
    let largeIsThere = false;
    const first = call(large).then((answer) => {
      largeIsThere = true;
      return answer;
    });
    const small = Array.from({ length: 90 }, (_, index) => Buffer.alloc(index * 100, 'small'));
    const answers = await Promise.all(small.map((body) => call(body)));
    expect(largeIsThere).toBe(false);
    for (const [index, answer] of answers.entries()) expect(answer.equals(small[index] ?? large)).toBe(true);
    expect((await first).equals(large)).toBe(true);
    session.close();
    await once(session, 'close');
  });
});

const isInstalled = (program: string): boolean => spawnSync(program, ['--version']).error === undefined;

it('h2load: all of five hundred requests are answered', async ({ skip }) => {
  if (!isInstalled('h2load')) skip('skipped: h2load not installed');
  const body = new URL(import.meta.url).pathname;
  const options = ['-n', '500', '-c', '4', '-m', '100', '-d', body];
  const { stdout } = await run('h2load', [...options, `http://127.0.0.1:${port}/`]);
  expect(stdout).toMatch(/500 succeeded, 0 failed, 0 errored, 0 timeout/);
});

it('nghttp: an answer with its trailers', async ({ skip }) => {
  if (!isInstalled('nghttp')) skip('skipped: nghttp not installed');
  const { stdout } = await run('nghttp', ['-v', `http://127.0.0.1:${port}/`]);
  expect(stdout).toContain(':status: 200');
  expect(stdout).toContain('result: 0');
  expect(stdout).not.toMatch(/error_code=[^N]/);
});

it('curl: what was sent comes back', async ({ skip }) => {
  if (!isInstalled('curl')) skip('skipped: curl not installed');
  const options = ['-sS', '--noproxy', '*', '--http2-prior-knowledge', '-d', 'some text'];
  const { stdout } = await run('curl', [...options, `http://127.0.0.1:${port}/`]);
  expect(stdout).toBe('some text');
});
