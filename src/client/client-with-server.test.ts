// The client against the real client port, service and tree, over TCP and over WebSocket, and through a network that
// breaks connections in the middle of everything.

import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { SingleNode } from '../../test/support/single-node.js';
import { nodeConfigOf } from '../config/node-config.js';
import { createLog } from '../observability/log.js';
import { ClientPort } from '../server/client-port.js';
import { createStoreService } from '../service/service.js';
import { SeededRandom } from '../shared/random.js';
import type { ClientTransport } from './client-transport.js';
import type { ConnectionEvent } from './peer-rotation.js';
import { tcpTransport } from './tcp-transport.js';
import { type WebSocketLike, webSocketTransport } from './websocket-transport.js';
import { ZabtreeClient } from './zabtree-client.js';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const overWebSocket = webSocketTransport({ create: (url) => new WebSocket(url) as unknown as WebSocketLike });
const transports: [string, ClientTransport][] = [
  ['TCP', tcpTransport],
  ['WebSocket', overWebSocket],
];

async function portOf(node: SingleNode): Promise<ClientPort> {
  const config = nodeConfigOf({
    self: { electionAddr: '127.0.0.1:1', messageAddr: '127.0.0.1:2' },
    peers: [],
    requestAddr: '127.0.0.1:3',
    listen: { request: '127.0.0.1:0' },
  });
  const log = createLog({ level: 'error', format: 'text' });
  const service = createStoreService(node, { scheduler: node.scheduler, limits: config.limits });
  const port = new ClientPort({ config, log });
  port.serve({ service });
  await port.listen();
  cleanups.push(() => port.close());
  return port;
}

function addressOf(port: ClientPort): string {
  return `127.0.0.1:${port.boundPort}`;
}

function clientOf(
  peers: readonly string[],
  transport: ClientTransport = tcpTransport,
  onConnection: (event: ConnectionEvent) => void = () => undefined,
): ZabtreeClient {
  const client = new ZabtreeClient({ peers, transport, timeoutMs: 15_000, onConnection });
  cleanups.push(() => client.close());
  return client;
}

/** A network that breaks every connection after a random number of bytes, in either direction. */
async function breakingNetwork(target: string, random: SeededRandom, bytesMax: number): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((inner) => {
    const outer = connectTcp(Number(target.split(':')[1]), '127.0.0.1');
    let left = bytesMax / 2 + random.below(bytesMax / 2);
    const breakBoth = (): void => {
      inner.destroy();
      outer.destroy();
    };
    for (const [from, to] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(from);
      from.on('error', breakBoth);
      from.on('close', () => {
        sockets.delete(from);
        breakBoth();
      });
      from.on('data', (chunk) => {
        to.write(chunk.subarray(0, left));
        left -= chunk.length;
        if (left <= 0) to.end(breakBoth);
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.each(transports)('ZabtreeClient over %s', (_, transport) => {
  it('writes, reads, lists, watches, broadcasts and asks for status and digest', async () => {
    const node = new SingleNode();
    const client = clientOf([addressOf(await portOf(node))], transport);
    expect((await client.add('a', '1')).revision).toBe(2);
    await expect(client.add('a', '2')).rejects.toMatchObject({ code: 'KEY_EXISTS' });
    const { revision } = await client.set('b', Uint8Array.of(0, 255));
    await expect(client.set('b', 'x', { expectedRevision: 2 })).rejects.toMatchObject({ code: 'REVISION_MISMATCH' });
    const { record } = await client.get('b');
    expect(record).toMatchObject({ value: Uint8Array.of(0, 255), modRevision: revision, version: 1 });
    expect((await client.get('none')).record).toBeUndefined();

    const keys: string[] = [];
    for await (const page of client.list({ pageRecords: 1 }))
      keys.push(...page.records.map(({ key }) => new TextDecoder().decode(key)));
    expect(keys).toEqual(['a', 'b']);

    const seen: (string | number)[] = [];
    const watching = (async () => {
      for await (const update of client.watch({ prefix: '', initial: true })) {
        if (update.type === 'initial') seen.push(update.records.length);
        else seen.push(...update.events.map(({ type, modRevision }) => `${type} ${modRevision}`));
        if (seen.length === 3) return;
      }
    })();
    await expect.poll(() => seen.length, { timeout: 15_000 }).toBe(1);
    await client.delete('a');
    await client.set('c', '');
    await watching;
    expect(seen).toEqual([2, 'delete 4', 'put 5']);

    const broadcasts: string[] = [];
    client.onBroadcast((payload) => broadcasts.push(new TextDecoder().decode(payload)));
    await expect
      .poll(async () => {
        await client.broadcast('hello');
        return broadcasts[0];
      })
      .toBe('hello');

    const status = await client.status();
    expect(status).toMatchObject({ role: 'leader', serving: true, revision: 5 });
    const digest = await client.digest();
    expect(digest).toMatchObject({ revision: 5, zxid: status.zxid });
    await client.compact(5);
    await expect(client.list({ revision: 3 }).next()).rejects.toMatchObject({ code: 'COMPACTED' });
  });

  it('carries a value of the largest size', async () => {
    const client = clientOf([addressOf(await portOf(new SingleNode()))], transport);
    const value = new Uint8Array(1.5 * 2 ** 20).fill(7);
    await client.set('large', value);
    const { record } = await client.get('large');
    expect(Buffer.compare(record?.value ?? new Uint8Array(0), value)).toBe(0);
    await expect(client.set('large', new Uint8Array(1.5 * 2 ** 20 + 1))).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
});

describe('leases', () => {
  it('are granted, renewed, asked about and revoked', async () => {
    const node = new SingleNode();
    const client = clientOf([addressOf(await portOf(node))]);
    const { id, ttlSeconds } = await client.leases.grant(30);
    expect(ttlSeconds).toBe(30);
    await expect(client.leases.grant(30, { id })).rejects.toMatchObject({ code: 'LEASE_EXISTS' });
    expect(await client.leases.grant(5, { id: -2n })).toEqual({ id: -2n, ttlSeconds: 5 });
    expect(await client.leases.keepAlive(id)).toEqual({ id, ttlSeconds: 30 });
    expect(await client.leases.timeToLive(id)).toEqual({ id, ttlSeconds: 30, grantedSeconds: 30, keys: [] });
    expect((await client.leases.revoke(id)).revision).toBe(1);
    await expect(client.leases.revoke(id)).rejects.toMatchObject({ code: 'LEASE_NOT_FOUND' });
    expect(await client.leases.keepAlive(id)).toEqual({ id, ttlSeconds: 0 });
    expect(await client.leases.timeToLive(id)).toMatchObject({ ttlSeconds: -1 });
  });
});

describe('ZabtreeClient through a network that breaks', () => {
  it.each([1, 2, 3])('executes every add exactly once (seed %i)', async (seed) => {
    const node = new SingleNode();
    const random = new SeededRandom(seed);
    const target = addressOf(await portOf(node));
    const peers = [await breakingNetwork(target, random, 20_000), await breakingNetwork(target, random, 20_000)];
    let breaks = 0;
    const client = clientOf(peers, tcpTransport, (event) => {
      if (event.type === 'lost') breaks++;
    });
    let next = 0;
    const revisions: number[] = [];
    const worker = async (): Promise<void> => {
      while (next < 2_000) revisions.push((await client.add(`key-${next++}`, 'value')).revision);
    };
    await Promise.all(Array.from({ length: 50 }, worker));
    expect(new Set(revisions).size).toBe(2_000);
    expect(node.tree.revision).toBe(2_001);
    expect(breaks).toBeGreaterThan(5);
  });

  it.each([4, 5])('delivers every change of a watch once and in order (seed %i)', async (seed) => {
    const node = new SingleNode();
    const target = addressOf(await portOf(node));
    const random = new SeededRandom(seed);
    const peers = [await breakingNetwork(target, random, 20_000), await breakingNetwork(target, random, 20_000)];
    let breaks = 0;
    const watcher = clientOf(peers, tcpTransport, (event) => {
      if (event.type === 'lost') breaks++;
    });
    const writer = clientOf([target]);
    const revisions: number[] = [];
    let begun = false;
    const watching = (async () => {
      for await (const update of watcher.watch({ prefix: 'key', initial: true })) {
        if (update.type === 'initial') begun = update.last;
        else revisions.push(...update.events.map(({ modRevision }) => modRevision));
        if (revisions.length >= 2_000) return;
      }
    })();
    await expect.poll(() => begun, { timeout: 15_000 }).toBe(true);
    for (let batch = 0; batch < 100; batch++) {
      // A frame must fit between two breaks, so the writer does not run far ahead.
      await expect.poll(() => batch * 20 - revisions.length, { interval: 1, timeout: 10_000 }).toBeLessThan(100);
      await Promise.all(Array.from({ length: 20 }, (_, i) => writer.set(`key-${i}`, `value-${batch}`)));
    }
    await watching;
    expect(revisions).toEqual(Array.from({ length: 2_000 }, (_, i) => i + 2));
    expect(breaks).toBeGreaterThan(3);
  });
});
