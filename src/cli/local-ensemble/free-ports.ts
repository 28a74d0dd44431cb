// Finds ports of the loopback interface that nobody uses, for TCP and UDP alike, and claims them for a moment. They are only
// likely to be free when they are used a moment later: whoever binds them must be ready to ask again.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { PortClaims } from './port-claims.js';

/** Below Linux's range of ephemeral ports, so that an outgoing connection does not take one in between. */
const portFirst = 20_000;
const portCount = 12_000;
const attemptsMax = 2_000;

const claims = new PortClaims();

/** `count` different ports, each free for TCP and UDP on 127.0.0.1 at the time of the call. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let attempt = 0; attempt < attemptsMax && found.size < count; attempt++) {
    const port = portFirst + Math.floor(Math.random() * portCount);
    if (!found.has(port) && claims.claim(port) && (await isPortFree(port))) found.add(port);
  }
  if (found.size < count) {
    throw new Error(
      `Cannot find ${count} free ports in ${portFirst}..${portFirst + portCount - 1}: found ${found.size}`,
    );
  }
  return [...found];
}

/** True when this very moment both a TCP and a UDP socket can be bound to it on 127.0.0.1. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await canListen(port)) && (await canReceive(port));
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function canReceive(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => socket.close(() => resolve(true)));
  });
}
