// Garbage on every port of every node while clients write: nothing ends, nothing stalls, nothing is lost.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { parseAddress } from '../../src/shared/address.js';
import { SeededRandom } from '../../src/shared/random.js';
import { encodePreface } from '../../src/wire/native-framing.js';
import { withEnsemble } from '../harness/test-ensemble.js';

const random = new SeededRandom(20_261_121);

function randomBytes(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, () => random.below(256));
}

function portOf(address: string): number {
  const parsed = parseAddress(address);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed.port;
}

/** Opens a connection, sends, and leaves it to the server to close it; the caller destroys what is left. */
async function throwAt(port: number, bytes: Uint8Array): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  // A server that refuses garbage with a reset does what it should.
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'connect');
  socket.write(bytes);
  return socket;
}

/** What no well-behaved peer or client would send first. */
function garbage(): Uint8Array[] {
  const hugeFrame = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3);
  return [
    new Uint8Array(0),
    Uint8Array.of(0),
    randomBytes(3),
    randomBytes(5_000),
    hugeFrame,
    Buffer.concat([encodePreface(), hugeFrame]),
    Buffer.concat([encodePreface(), Uint8Array.of(0, 0, 0, 20), randomBytes(20)]),
    Buffer.concat([encodePreface(99), randomBytes(64)]),
    Buffer.from('GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n'),
    Buffer.from(`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(20_000)}`),
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01),
  ];
}

test('garbage on every port disturbs nobody', async () => {
  await withEnsemble({}, async (test) => {
    const leader = await test.start();
    const pids = test.ensemble.nodes.map((node) => node.process?.pid);
    const load = test.load();
    await test.progress(load, 100);
    const sockets: Socket[] = [];
    const datagrams = createSocket('udp4');
    for (let round = 0; round < 5; round++) {
      for (const { addresses } of test.ensemble.nodes) {
        for (const bytes of garbage()) {
          sockets.push(await throwAt(portOf(addresses.RequestAddr), bytes));
          sockets.push(await throwAt(portOf(addresses.MessageAddr), bytes));
        }
        for (let count = 0; count < 200; count++) {
          datagrams.send(randomBytes(random.below(1_400)), portOf(addresses.ElectionAddr), '127.0.0.1');
        }
      }
      await test.progress(load, 50);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await test.leader()).toBe(leader);
    expect(test.ensemble.nodes.map((node) => node.process?.pid)).toEqual(pids);
    expect(test.ensemble.nodes.every((node) => node.running)).toBe(true);
    await test.verify([load]);
    for (const socket of sockets) socket.destroy();
    datagrams.close();
  });
});
