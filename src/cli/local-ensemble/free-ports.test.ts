import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { freePorts, isPortFree } from './free-ports.js';

test('freePorts() gives different ports that can be bound', async () => {
  const ports = await freePorts(9);
  expect(new Set(ports).size).toBe(9);
  for (const port of ports) expect(await isPortFree(port)).toBe(true);
});

test('isPortFree() sees a TCP listener', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  expect(await isPortFree(port)).toBe(false);
  server.close();
});

test('isPortFree() sees a UDP socket', async () => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  expect(await isPortFree(socket.address().port)).toBe(false);
  socket.close();
});
