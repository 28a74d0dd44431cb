import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type MutableMember, networkOptions, newMembers, PeerRecorder } from '../../test/support/network-recorders.js';
import { until } from '../../test/support/until.js';
import { limits } from '../config/limits.js';
import type { Channel } from '../ensemble/ports.js';
import type { GroupId, ServerId } from '../shared/ids.js';
import type { NetworkOptions } from './network-options.js';
import { TcpPeerNetwork } from './peer-network.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Node {
  readonly network: TcpPeerNetwork;
  readonly seen: PeerRecorder;
  readonly warnings: string[];
  readonly id: ServerId;
}

async function node(members: MutableMember[], index: number, different: Partial<NetworkOptions> = {}): Promise<Node> {
  const member = members[index] as MutableMember;
  const options = networkOptions(members, member.id, different);
  const network = new TcpPeerNetwork(options);
  await network.listen();
  cleanups.push(() => network.stop());
  member.messageAddr = `127.0.0.1:${network.boundPort}`;
  const seen = new PeerRecorder();
  network.start(seen);
  return { network, seen, warnings: options.warnings, id: member.id };
}

async function pair(one: Partial<NetworkOptions> = {}, two: Partial<NetworkOptions> = one): Promise<[Node, Node]> {
  const members = newMembers(2);
  return [await node(members, 0, one), await node(members, 1, two)];
}

async function connected(a: Node, b: Node, channel: Channel = 'quorum'): Promise<[number, number]> {
  const [linksA, linksB] = [a.seen.links.length, b.seen.links.length];
  a.network.connect(b.id, channel);
  await until('both sides open', () => a.seen.links.length > linksA && b.seen.links.length > linksB);
  return [a.seen.link, b.seen.link];
}

/** A TCP client that is no member. */
async function stranger(port: number, localAddress = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  cleanups.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined);
  socket.resume();
  return socket;
}

/** Passes bytes on between a connector and `port`; `change` sees what the connector sends. */
async function proxy(port: number, change: (chunk: Buffer, server: Socket) => void): Promise<number> {
  const server: Server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    cleanups.push(
      () => client.destroy(),
      () => upstream.destroy(),
    );
    client.on('data', (chunk) => change(chunk, upstream));
    upstream.on('data', (chunk) => client.write(chunk));
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

const key = new Uint8Array(32).fill(7);
const one = (value: number): Uint8Array[] => [Uint8Array.of(value)];

describe.each([
  ['without a cluster key', {}],
  ['with a cluster key', { clusterKey: key }],
])('TcpPeerNetwork %s', (_, keyed) => {
  it('tells both sides of a connection, its direction and the RequestAddr', async () => {
    const [a, b] = await pair(keyed);
    await connected(a, b, 'bulk');
    expect(a.seen.links).toEqual([{ link: 1, peer: b.id, channel: 'bulk', outgoing: true }]);
    expect(b.seen.links).toEqual([{ link: 1, peer: a.id, channel: 'bulk', outgoing: false }]);
    expect(a.network.requestAddressOf(b.id)).toBe('client-port-of-2:5003');
    expect(b.network.requestAddressOf(a.id)).toBe('client-port-of-1:5003');
  });

  it('delivers frames of every size in order, both ways, as plain Uint8Arrays', async () => {
    const [a, b] = await pair(keyed);
    const [linkA, linkB] = await connected(a, b);
    const sizes = [0, 1, 3, 4_095, 4_096, 4_097, 65_536, 1_000_000, 5_000_000, 2];
    for (const [index, size] of sizes.entries()) {
      const half = Math.floor(size / 2);
      const body = new Uint8Array(size).fill(index + 1);
      a.network.send(linkA, [body.subarray(0, half), body.subarray(half)]);
      b.network.send(linkB, [body]);
    }
    for (const seen of [a.seen, b.seen]) {
      await until('all frames', () => seen.frames.length === sizes.length);
      for (const [index, { frame }] of seen.frames.entries()) {
        expect(Buffer.isBuffer(frame)).toBe(false);
        expect(frame.length).toBe(sizes[index]);
        expect(frame.every((byte) => byte === index + 1)).toBe(true);
      }
    }
  });

  it('delivers what was sent before close(), which tells only the other side', async () => {
    const [a, b] = await pair(keyed);
    const [linkA] = await connected(a, b);
    a.network.send(linkA, [new Uint8Array(300_000)]);
    a.network.send(linkA, one(9));
    a.network.close(linkA);
    a.network.send(linkA, one(10));
    await until('the closing', () => b.seen.closings.length === 1);
    expect(b.seen.frames.map(({ frame }) => frame.length)).toEqual([300_000, 1]);
    expect(a.seen.closings).toEqual([]);
    expect(b.seen.closings[0]?.reason).toBe('the peer closed the connection');
  });

  it('reports an unreadable stream of bytes once and closes', async () => {
    const members = newMembers(2);
    const b = await node(members, 1, keyed);
    const a = await node(members, 0, keyed);
    let garble = false;
    const port = await proxy(b.network.boundPort, (chunk, server) => {
      server.write(garble ? Buffer.from([0xff, 0xff, 0xff, 0xff, ...chunk]) : chunk);
    });
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${port}`;
    const [linkA] = await connected(a, b);
    garble = true;
    a.network.send(linkA, one(1));
    await until('the closing', () => b.seen.closings.length === 1);
    expect(b.seen.closings[0]?.reason).toMatch(/frame of 4294967295 bytes: the limit is/);
    expect(b.seen.frames).toEqual([]);
    await until('the other side', () => a.seen.closings.length === 1);
  });

  it('parses frames that arrive byte by byte', async () => {
    const members = newMembers(2);
    const b = await node(members, 1, keyed);
    const a = await node(members, 0, keyed);
    const port = await proxy(b.network.boundPort, (chunk, server) => {
      server.setNoDelay(true);
      for (let i = 0; i < chunk.length; i++) server.write(chunk.subarray(i, i + 1));
    });
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${port}`;
    const [linkA] = await connected(a, b);
    for (let i = 0; i < 20; i++) a.network.send(linkA, [new Uint8Array(i).fill(i)]);
    await until('all frames', () => b.seen.frames.length === 20);
    expect(b.seen.frames.map(({ frame }) => frame.length)).toEqual(Array.from({ length: 20 }, (_v, i) => i));
  });

  it('bounds what it queues for a peer that does not read, and tells when it has drained', async () => {
    const members = newMembers(2);
    const small = { ...keyed, limits: { ...limits, peerQueueBytesMax: 8 * 2 ** 20, peerQueueLowBytes: 2 ** 20 } };
    const b = await node(members, 1, small);
    const a = await node(members, 0, small);
    const upstreams: Socket[] = [];
    const clients: Socket[] = [];
    const server = createServer((client) => {
      const upstream = connect(b.network.boundPort, '127.0.0.1');
      upstreams.push(upstream);
      clients.push(client);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream]) socket.on('error', () => undefined);
      cleanups.push(
        () => client.destroy(),
        () => upstream.destroy(),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => server.close());
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const [linkA] = await connected(a, b);
    for (const client of clients) client.unpipe();
    for (const client of clients) client.pause();
    const chunk = new Uint8Array(2 ** 20);
    for (let i = 0; i < 6; i++) a.network.send(linkA, [chunk]);
    expect(a.network.queuedBytes(linkA)).toBeGreaterThan(6 * 2 ** 20);
    expect(a.seen.drainedLinks).toEqual([]);
    for (const [index, client] of clients.entries()) client.pipe(upstreams[index] as Socket);
    await until('drained', () => a.seen.drainedLinks.length === 1);
    expect(a.network.queuedBytes(linkA)).toBeLessThanOrEqual(2 ** 20);
    await until('six frames', () => b.seen.frames.length === 6);
    for (const client of clients) client.unpipe();
    for (const client of clients) client.pause();
    for (let i = 0; i < 40; i++) a.network.send(linkA, [chunk]);
    expect(a.seen.closings).toEqual([]);
    await until('the closing', () => a.seen.closings.length === 1);
    expect(a.seen.closings[0]?.reason).toMatch(/outgoing queue passed 8388608 bytes/);
    expect(a.network.queuedBytes(linkA)).toBe(0);
  });
});

describe('TcpPeerNetwork', () => {
  it.each<[string, Partial<NetworkOptions>, Partial<NetworkOptions>, RegExp]>([
    ['another ensemble name', { ensembleName: 'a' }, { ensembleName: 'b' }, /ensemble names differ: "b" and "a"/],
    ['another group', { group: 3 as GroupId }, {}, /groups differ: 0 and 3/],
    ['another membership', { membershipHash: 'x' }, {}, /members differ: /],
    ['a cluster key here only', { clusterKey: key }, {}, /server 1 requires a cluster key and server 2 has none/],
    ['a cluster key there only', {}, { clusterKey: key }, /server 2 requires a cluster key and server 1 has none/],
    ['another cluster key', { clusterKey: key }, { clusterKey: new Uint8Array(32) }, /the cluster keys differ/],
  ])('refuses %s and tells both sides why', async (_, optionsA, optionsB, reason) => {
    const [a, b] = await pair(optionsA, optionsB);
    a.network.connect(b.id, 'quorum');
    await until('the failure', () => a.seen.failures.length === 1 && b.warnings.length === 1);
    expect(a.seen.failures[0]?.reason).toMatch(reason);
    expect(b.warnings[0]).toMatch(reason);
    expect([...a.seen.links, ...b.seen.links]).toEqual([]);
  });

  it('names the members that only one side lists', async () => {
    const members = newMembers(2);
    const b = await node(members, 1);
    const three = [...members, { id: 3 as ServerId, electionAddr: 'c:1', messageAddr: 'c:2' }];
    const a = await node(three, 0, { membershipHash: 'three' });
    a.network.connect(b.id, 'quorum');
    await until('the failure', () => a.seen.failures.length === 1);
    expect(a.seen.failures[0]?.reason).toMatch(/members differ: only server 1 lists c:2$/);
  });

  it('refuses a server id that is no member, and a server that is not the one that was wanted', async () => {
    const members = newMembers(3);
    const b = await node(members, 1);
    const foreign = newMembers(9);
    (foreign[1] as MutableMember).messageAddr = (members[1] as MutableMember).messageAddr;
    const a = await node(foreign, 8);
    a.network.connect(b.id, 'quorum');
    await until('the failure', () => a.seen.failures.length === 1);
    expect(a.seen.failures[0]?.reason).toMatch(/the peer refused: server id 9 is not a member/);
    const c = await node(members, 2);
    (members[0] as MutableMember).messageAddr = (members[1] as MutableMember).messageAddr;
    c.network.connect(1 as ServerId, 'bulk');
    await until('the failure', () => c.seen.failures.length === 1);
    expect(c.seen.failures[0]?.reason).toMatch(/server 1 was wanted at this address, it is that of server 2/);
    c.network.connect(77 as ServerId, 'bulk');
    await until('the failure', () => c.seen.failures.length === 2);
    expect(c.seen.failures[1]?.reason).toMatch(/server 77 is not another member/);
  });

  it('says that a connection is refused, and never calls back inside connect()', async () => {
    const members = newMembers(2);
    const a = await node(members, 0);
    const b = await node(members, 1);
    b.network.stop();
    a.network.connect(b.id, 'quorum');
    expect(a.seen.failures).toEqual([]);
    await until('the failure', () => a.seen.failures.length === 1);
    expect(a.seen.failures[0]?.reason).toMatch(/^Cannot connect to 127\.0\.0\.1:\d+: connection refused$/);
  });

  it('says that a port is in use', async () => {
    const members = newMembers(1);
    const a = await node(members, 0);
    const listenMessage = `127.0.0.1:${a.network.boundPort}`;
    const other = new TcpPeerNetwork(networkOptions(members, a.id, { listenMessage }));
    await expect(other.listen()).rejects.toThrow(`Cannot listen on ${listenMessage} (MessageAddr): the port is in use`);
  });

  it('closes the older of two connections of one peer, channel and direction', async () => {
    const [a, b] = await pair();
    const [, first] = await connected(a, b);
    const [secondA, secondB] = await connected(a, b);
    expect(b.seen.closings).toEqual([{ link: first, reason: 'a newer connection of the same peer took its place' }]);
    await connected(a, b, 'bulk');
    await connected(b, a);
    expect(b.seen.closings.length).toBe(1);
    a.network.send(secondA, one(5));
    await until('the frame', () => b.seen.frames.length === 1);
    expect(b.seen.frames[0]?.link).toBe(secondB);
  });

  it('tells at once when the process of a peer is gone', async () => {
    const [a, b] = await pair();
    const [linkA] = await connected(a, b);
    b.network.stop();
    await until('the closing', () => a.seen.closings.length === 1);
    expect(a.seen.closings[0]?.link).toBe(linkA);
    expect(b.seen.closings).toEqual([]);
  });

  it('refuses frames that are changed, repeated or reordered on their way when there is a cluster key', async () => {
    for (const attack of ['change', 'repeat', 'reorder'] as const) {
      const members = newMembers(2);
      const b = await node(members, 1, { clusterKey: key });
      const a = await node(members, 0, { clusterKey: key });
      let attacking = false;
      const held: Buffer[] = [];
      const port = await proxy(b.network.boundPort, (chunk, server) => {
        if (!attacking) server.write(chunk);
        else if (attack === 'change')
          server.write(Buffer.concat([chunk.subarray(0, 4), Buffer.from([chunk.readUInt8(4) ^ 1]), chunk.subarray(5)]));
        else if (attack === 'repeat') server.write(Buffer.concat([chunk, chunk]));
        else if (held.push(chunk) === 2) server.write(Buffer.concat(held.reverse()));
      });
      (members[1] as MutableMember).messageAddr = `127.0.0.1:${port}`;
      const [linkA] = await connected(a, b);
      attacking = true;
      a.network.send(linkA, [new Uint8Array(100).fill(1)]);
      if (attack === 'reorder') {
        await until('the first is held', () => held.length === 1);
        a.network.send(linkA, [new Uint8Array(100).fill(2)]);
      }
      await until('the closing', () => b.seen.closings.length === 1);
      expect(b.seen.closings[0]?.reason).toMatch(/not authentic/);
      expect(b.seen.frames.length).toBe(attack === 'repeat' ? 1 : 0);
      expect(b.network.counters.framesRefused).toBe(1);
    }
  });

  it('refuses a recorded connection that is played again when there is a cluster key', async () => {
    const members = newMembers(2);
    const b = await node(members, 1, { clusterKey: key });
    const a = await node(members, 0, { clusterKey: key });
    const recorded: Buffer[] = [];
    const port = await proxy(b.network.boundPort, (chunk, server) => {
      recorded.push(Buffer.from(chunk));
      server.write(chunk);
    });
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${port}`;
    const [linkA] = await connected(a, b);
    a.network.send(linkA, one(1));
    await until('the frame', () => b.seen.frames.length === 1);
    const replay = await stranger(b.network.boundPort);
    replay.write(Buffer.concat(recorded));
    await until('the refusal', () => b.warnings.length === 1);
    expect(b.warnings[0]).toMatch(/the cluster keys differ/);
    expect(b.seen.links.length).toBe(1);
    expect(b.seen.frames.length).toBe(1);
    expect(b.seen.closings).toEqual([]);
  });

  it('lets members in while strangers hold more silent connections than it allows', async () => {
    const few = { limits: { ...limits, peerHandshakesMax: 8 } };
    const [a, b] = await pair(few);
    const strangers: Socket[] = [];
    for (let i = 0; i < 30; i++) strangers.push(await stranger(b.network.boundPort));
    await connected(a, b);
    await until('evictions', () => b.network.counters.handshakesEvicted >= 22);
    await until('closed sockets', () => strangers.filter((socket) => socket.closed).length >= 22);
  });

  // Elsewhere there is one loopback address.
  it.runIf(process.platform === 'linux')('a flood from one address ends no handshake of another', async () => {
    const few = { limits: { ...limits, peerHandshakesMax: 8 } };
    const a = await node(newMembers(1), 0, few);
    const slow = await stranger(a.network.boundPort);
    const flood: Socket[] = [];
    for (let i = 0; i < 60; i++) flood.push(await stranger(a.network.boundPort, '127.0.0.2'));
    await until('evictions', () => flood.filter((socket) => socket.closed).length === 53);
    expect(slow.closed).toBe(false);
  });

  it('closes a connection that does not finish its handshake in time, also one of its own', async () => {
    const hasty = { limits: { ...limits, handshakeTimeoutMs: 50 } };
    const members = newMembers(2);
    const a = await node(members, 0, hasty);
    const silent = createServer((socket) => cleanups.push(() => socket.destroy()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => silent.close());
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
    a.network.connect(2 as ServerId, 'quorum');
    await until('the failure', () => a.seen.failures.length === 1);
    expect(a.seen.failures[0]?.reason).toMatch(/no handshake within 50 ms/);
    const socket = await stranger(a.network.boundPort);
    await until('the stranger is out', () => socket.closed);
    expect(a.network.counters.handshakesTimedOut).toBe(2);
  });

  it('refuses what is no handshake, whatever it is, and keeps little memory for it', async () => {
    const members = newMembers(1);
    const a = await node(members, 0);
    const hostile = [
      Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
      Buffer.from([0, 0, 0, 3, 1, 2, 3]),
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([0, 0, 0, 2, 0x12, 0]),
    ];
    for (const bytes of hostile) {
      const socket = await stranger(a.network.boundPort);
      socket.write(bytes);
      await until('the stranger is out', () => socket.closed);
    }
    expect(a.network.counters.handshakesRefused).toBe(hostile.length);
    expect(a.seen.links).toEqual([]);
  });
});
