// Floods at the ports of running servers: connections, half-sent requests, clients that never read, dripping and pipelined
// HTTP. A well-behaved client goes on all the time, nobody is elected anew, and memory stays within bounds.

import { expect, test } from 'vitest';
import { until } from '../../src/cli/local-ensemble/until.js';
import { encodePreface } from '../../src/wire/native-framing.js';
import { writeRequestFrame } from '../../src/wire/native-request-codec.js';
import { ProtoWriter } from '../../src/wire/protobuf/proto-writer.js';
import { HostileSocket, type HostileSocketOptions } from '../fuzz/hostile-socket.js';
import { addressOf } from '../fuzz/port-attacks.js';
import { WatchedEnsemble } from '../fuzz/watched-ensemble.js';
import { patienceMs, type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';
import { getOf, NativeTestClient, setOf, watchOf } from '../support/native-test-client.js';

const clientConnectionsMax = 200;
const settings = {
  Limits: { ClientConnectionsMax: clientConnectionsMax, HandshakeTimeoutMs: 1_000 },
  // An election is a finding here: a machine that is busy with other work must not cause one.
  Timing: { SyncLimitMs: 10_000 },
};
const all = [0, 1, 2];

/** Opens so many connections, a few at a time. */
async function openMany(address: string, count: number, options?: HostileSocketOptions): Promise<HostileSocket[]> {
  const sockets: HostileSocket[] = [];
  const atOnce = 50;
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(atOnce, count - sockets.length) }, () =>
      HostileSocket.open(addressOf(address), options),
    );
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}

async function allClosed(what: string, sockets: readonly HostileSocket[]): Promise<void> {
  await until(what, { timeoutMs: patienceMs }, () => sockets.every((socket) => socket.closed) || undefined);
}

function requestsOf(bodies: readonly Parameters<typeof writeRequestFrame>[1]['body'][]): Uint8Array {
  const writer = new ProtoWriter(1_024);
  bodies.forEach((body, index) => {
    writeRequestFrame(writer, { id: index + 1, timeoutMs: 0, body });
  });
  return writer.finish();
}

/** The node may still count connections whose end was seen here already: until it does not, it sends clients away. */
async function letIn(port: number): Promise<void> {
  await until('a client to be let in', { timeoutMs: patienceMs }, async () => {
    const client = await NativeTestClient.connect(port);
    const answer = await client.ask({ type: 'status' }).catch(() => undefined);
    client.close();
    return answer?.code === 'OK' || undefined;
  });
}

async function watched(test: TestEnsemble): Promise<{ leader: number; watch: WatchedEnsemble }> {
  const leader = await test.start();
  return { leader, watch: await WatchedEnsemble.begin(test, all) };
}

test('connections that say nothing, or say it a byte at a time, are closed and let others in', async () => {
  await withEnsemble({ settings }, async (test) => {
    const { watch } = await watched(test);
    for (const node of test.ensemble.nodes) {
      const sockets = await openMany(node.addresses.RequestAddr, 2 * clientConnectionsMax);
      const drips = sockets.slice(0, clientConnectionsMax);
      const texts = ['GET /healthz HTTP/1.1\r\nX-Header: ', Buffer.from(encodePreface()).toString('latin1')];
      const bytes = drips.map((_, index) => [...Buffer.from(texts[index % 2] ?? '', 'latin1').subarray(0, -1)]);
      // Never the last one: what it begins is never whole.
      const drip = setInterval(() => {
        drips.forEach((socket, index) => {
          const byte = bytes[index]?.shift() ?? (index % 2 === 0 ? 0x61 : undefined);
          if (byte !== undefined) void socket.write(Uint8Array.of(byte));
        });
      }, 50);
      await watch.look('connections that say nothing');
      await allClosed('the end of connections that say nothing', sockets);
      clearInterval(drip);
      await letIn(addressOf(node.addresses.RequestAddr).port);
    }
    await watch.end();
  });
});

test('a flood of the peer port keeps no member from joining', async () => {
  await withEnsemble({ settings }, async (test) => {
    const leader = await test.start();
    const follower = test.followersOf(leader)[0] ?? 0;
    const load = test.load({ peers: [test.node(leader).addresses.RequestAddr] });
    await test.progress(load, 50);
    let flooding = true;
    // Closed ones are opened anew at once.
    const flood = Array.from({ length: 100 }, async (_, index) => {
      const { MessageAddr } = test.node(index % test.size).addresses;
      while (flooding) {
        const socket = await HostileSocket.open(addressOf(MessageAddr));
        await socket.answered();
        socket.close();
      }
    });
    await test.node(follower).kill();
    await test.progress(load, 50);
    await test.node(follower).start();
    expect(await test.leader()).toBe(leader);
    await test.progress(load, 50);
    flooding = false;
    await Promise.all(flood);
    await load.stop();
    expect(load.failures).toEqual([]);
    await test.verify([load]);
  });
});

test('half-sent requests and clients that never read cost neither the leader nor its memory', async () => {
  await withEnsemble({ settings }, async (test) => {
    const { leader, watch } = await watched(test);
    const address = test.node(leader).addresses.RequestAddr;
    const beginning = Buffer.concat([encodePreface(), Buffer.from([0, 0x1f, 0xff, 0xff]), Buffer.alloc(2 ** 20)]);
    const halves = await openMany(address, 30);
    await Promise.all(halves.map((socket) => socket.write(beginning)));
    await watch.look('half-sent requests');

    const client = await NativeTestClient.connect(addressOf(address).port);
    // Small enough to be read while the half-sent ones hold all room for larger requests.
    const value = new Uint8Array(60_000);
    expect(await client.ask(setOf('big', value))).toMatchObject({ code: 'OK' });
    // Far more than fits: 30 clients, 600 answers of 60 KB each, and a watch that sees every change.
    const requests = requestsOf([watchOf('load/'), ...Array.from({ length: 600 }, () => getOf('big', true))]);
    const deaf = await openMany(address, 30, { reads: false });
    await Promise.all(deaf.map((socket) => socket.write(Buffer.concat([encodePreface(), requests]))));
    for (let round = 0; round < 5; round++) await watch.look('clients that never read');
    expect(await client.ask(getOf('big'))).toMatchObject({ code: 'OK' });
    client.close();
    for (const socket of [...halves, ...deaf]) socket.close();
    await watch.end();
  });
});

test('HTTP requests without end, by number or by size, are cut off', async () => {
  await withEnsemble({ settings }, async (test) => {
    const { watch } = await watched(test);
    const request = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
    for (const { addresses } of test.ensemble.nodes) {
      const pipelined = await openMany(addresses.RequestAddr, 20);
      await Promise.all(pipelined.map((socket) => socket.write(request.repeat(5_000))));
      const large = await openMany(addresses.RequestAddr, 20);
      await Promise.all(large.map((socket) => socket.write(`GET / HTTP/1.1\r\n${'X-Header: y\r\n'.repeat(50_000)}`)));
      const bodies = await openMany(addresses.RequestAddr, 20);
      const endless = `POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n${'x'.repeat(1_000_000)}`;
      await Promise.all(bodies.map((socket) => socket.write(endless)));
      await watch.look('HTTP without end');
      await allClosed('the end of HTTP without end', [...pipelined, ...large, ...bodies]);
      // One request a connection is answered, not thousands.
      for (const { receivedBytes } of pipelined) expect(receivedBytes).toBeLessThan(request.length * 5_000);
    }
    await watch.end();
  });
});
