// What answers of the gateway may hold together: each is made whole before it is sent, and takes room for that first.

import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ClientPortBench, until } from '../../../../test/support/client-port-bench.js';
import type { HttpHandler } from '../../http-handler.js';
import { GatewayCall } from './gateway-call.js';

const opened: ClientPortBench[] = [];

afterEach(async () => {
  for (const bench of opened.splice(0)) await bench.close();
});

it('an answer that all clients together have no room for is given up, until there is room', async () => {
  const calls: GatewayCall[] = [];
  const handle: HttpHandler = (request, response) => {
    const type = { name: 'a message', fields: new Map(), byName: new Map() };
    const options = { path: request.path, request, response, timeoutMs: 0, type, answersMany: false };
    const call = new GatewayCall({ ...options, messageBytesMax: 1_000_000 });
    calls.push(call);
    call.beginMessage(1_000_000);
    return true;
  };
  const bench = await ClientPortBench.open(
    { clientAnswersBytesTotalMax: 3_500_000 },
    { routes: [{ prefix: '/large', handle }] },
  );
  opened.push(bench);
  const answers: string[] = [];
  const ask = () => {
    const socket = connect({ port: bench.port.boundPort, host: '127.0.0.1' });
    socket.on('data', (data) => answers.push(data.toString()));
    socket.write('GET /large HTTP/1.1\r\nhost: a\r\n\r\n');
    bench.onClose(() => void socket.destroy());
    return socket;
  };
  const sockets = Array.from({ length: 5 }, ask);
  await until(() => calls.length === 5 && answers.length === 2);
  for (const answer of answers) expect(answer).toMatch(/^HTTP\/1.1 503 .*request timed out/s);
  expect(calls.filter((call) => !call.over).length).toBe(3);
  expect(bench.port.heldBytes).toBe(3_000_000);
  for (const socket of sockets) socket.destroy();
  await until(() => bench.port.heldBytes === 0);
  ask();
  await until(() => calls.length === 6);
  expect(calls[5]?.over).toBe(false);
});
