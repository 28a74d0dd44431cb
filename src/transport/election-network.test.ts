import { createSocket, type Socket } from 'node:dgram';
import { afterEach, describe, expect, it } from 'vitest';
import { type MutableMember, networkOptions, newMembers } from '../../test/support/network-recorders.js';
import { until } from '../../test/support/until.js';
import { type Epoch, type GroupId, groupZero, type ServerId, type Zxid } from '../shared/ids.js';
import { type ElectionMessage, encodeElectionDatagram } from '../wire/election-codec.js';
import { UdpElectionNetwork } from './election-network.js';
import type { NetworkOptions } from './network-options.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Node {
  readonly network: UdpElectionNetwork;
  readonly seen: { readonly from: ServerId; readonly message: ElectionMessage }[];
  readonly warnings: string[];
  readonly id: ServerId;
}

async function node(members: MutableMember[], index: number, different: Partial<NetworkOptions> = {}): Promise<Node> {
  const member = members[index] as MutableMember;
  const options = networkOptions(members, member.id, different);
  const network = new UdpElectionNetwork(options);
  await network.listen();
  cleanups.push(() => network.close());
  member.electionAddr = `127.0.0.1:${network.boundPort}`;
  return { network, seen: [], warnings: options.warnings, id: member.id };
}

/** Started once all listen, since addresses are read then. */
function start(...nodes: Node[]): void {
  for (const { network, seen } of nodes) network.start((from, message) => seen.push({ from, message }));
}

async function pair(one: Partial<NetworkOptions> = {}, two: Partial<NetworkOptions> = one): Promise<[Node, Node]> {
  const members = newMembers(2);
  const nodes: [Node, Node] = [await node(members, 0, one), await node(members, 1, two)];
  start(...nodes);
  return nodes;
}

function ballot(round: number): ElectionMessage {
  const vote = { epoch: 3 as Epoch, lastZxid: 9 as Zxid, serverId: 1 as ServerId };
  return { role: 'looking', round, vote, ensembleId: null, currentEpoch: 3 as Epoch, probation: false };
}

/** A socket that is bound to the loopback, to send whatever it likes. */
async function rawSocket(port = 0): Promise<Socket> {
  const socket = createSocket('udp4');
  cleanups.push(() => socket.close());
  await new Promise<void>((resolve) => socket.bind(port, '127.0.0.1', resolve));
  return socket;
}

function plain(sequence: number, different: Record<string, unknown> = {}): Buffer {
  const envelope = { group: groupZero, sender: 1 as ServerId, incarnation: 'd', boot: 1, membershipHash: 'same' };
  const body = encodeElectionDatagram({ ...envelope, sequence, message: ballot(sequence), ...different });
  return Buffer.concat([Uint8Array.of(0x7a), body]);
}

const key = new Uint8Array(32).fill(7);

describe.each([
  ['without a cluster key', {}],
  ['with a cluster key', { clusterKey: key }],
])('UdpElectionNetwork %s', (_, keyed) => {
  it('delivers messages with their sender', async () => {
    const [a, b] = await pair(keyed);
    a.network.send(b.id, ballot(1));
    b.network.send(a.id, ballot(2));
    await until('both', () => a.seen.length === 1 && b.seen.length === 1);
    expect(b.seen).toEqual([{ from: a.id, message: ballot(1) }]);
    expect(a.seen).toEqual([{ from: b.id, message: ballot(2) }]);
  });

  it('hears a sender that was restarted, and one that lost its directory', async () => {
    const members = newMembers(2);
    const b = await node(members, 1, keyed);
    const first = await node(members, 0, keyed);
    start(b, first);
    for (let round = 1; round <= 5; round++) first.network.send(b.id, ballot(round));
    await until('the first boot', () => b.seen.length === 5);
    const listenElection = `127.0.0.1:${first.network.boundPort}`;
    first.network.close();
    const again = await node(members, 0, { ...keyed, listenElection, boot: 2 });
    start(again);
    again.network.send(b.id, ballot(6));
    await until('the second boot', () => b.seen.length === 6);
    again.network.close();
    const fresh = await node(members, 0, { ...keyed, listenElection, incarnation: 'another', boot: 1 });
    start(fresh);
    fresh.network.send(b.id, ballot(7));
    await until('the new directory', () => b.seen.length === 7);
    expect(b.network.counters.stale).toBe(0);
  });

  it('goes on after datagrams of every hostile kind', async () => {
    const [a, b] = await pair(keyed);
    const raw = await rawSocket();
    const hostile = [
      Buffer.alloc(0),
      Buffer.from([0]),
      Buffer.from([0x7a]),
      Buffer.from([0x7b]),
      Buffer.from([0x7a, 0xff, 0xff, 0xff, 0xff, 0xff]),
      Buffer.concat([Buffer.from([0x7b]), Buffer.alloc(60, 0xff)]),
      Buffer.alloc(1201, 0x7a),
      Buffer.alloc(60_000, 0x7b),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      plain(1, { sender: 99 }),
      plain(1, { sender: b.id }),
      plain(1),
    ];
    for (const datagram of hostile) raw.send(datagram, b.network.boundPort, '127.0.0.1');
    const { counters } = b.network;
    const dropped = (): number => counters.malformed + counters.unauthenticated + counters.foreign + counters.stale;
    await until('all are dropped', () => dropped() === hostile.length);
    expect(b.seen).toEqual([]);
    a.network.send(b.id, ballot(1));
    await until('a good one', () => b.seen.length === 1);
    expect(b.warnings.length).toBeLessThan(hostile.length);
  });

  it('survives random datagrams', async () => {
    const [a, b] = await pair(keyed);
    const raw = await rawSocket();
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state >>> 16;
    };
    const valid = plain(1, { incarnation: 'x' });
    const { counters } = b.network;
    for (let i = 0; i < 200; i++) {
      const datagram = i % 2 === 0 ? Buffer.from(valid) : Buffer.alloc(random() % 300);
      for (let n = 0; n < 5 && datagram.length > 0; n++) datagram[random() % datagram.length] = random() & 0xff;
      raw.send(datagram, b.network.boundPort, '127.0.0.1');
      await until(
        'it is dropped',
        () => counters.malformed + counters.unauthenticated + counters.foreign + counters.stale === i + 1,
      );
    }
    a.network.send(b.id, ballot(1));
    await until('a good one', () => b.seen.length === 1);
  });
});

describe('UdpElectionNetwork', () => {
  it('drops what is not newer than what the sender sent before, also of an older directory', async () => {
    const members = newMembers(2);
    const raw = await rawSocket();
    (members[0] as MutableMember).electionAddr = `127.0.0.1:${raw.address().port}`;
    const b = await node(members, 1);
    start(b);
    const send = async (datagram: Buffer, outcome: 'received' | 'stale'): Promise<void> => {
      const before = b.network.counters[outcome];
      raw.send(datagram, b.network.boundPort, '127.0.0.1');
      await until(outcome, () => b.network.counters[outcome] === before + 1);
    };
    await send(plain(5), 'received');
    await send(plain(5), 'stale');
    await send(plain(4), 'stale');
    await send(plain(6), 'received');
    await send(plain(1, { boot: 2 }), 'received');
    await send(plain(7), 'stale');
    await send(plain(1, { incarnation: 'e' }), 'received');
    await send(plain(2, { boot: 2, incarnation: 'd' }), 'received');
    await send(plain(1, { incarnation: 'e' }), 'stale');
    await send(plain(2, { incarnation: 'e' }), 'received');
  });

  it('believes a sender only from its own address unless a cluster key vouches for it', async () => {
    const members = newMembers(2);
    const a = await node(members, 0);
    const b = await node(members, 1);
    start(a, b);
    const raw = await rawSocket();
    raw.send(plain(1), b.network.boundPort, '127.0.0.1');
    await until('it is dropped', () => b.network.counters.foreign === 1);
    expect(b.warnings[0]).toMatch(/not the ElectionAddr of server 1/);
    expect(b.seen).toEqual([]);
  });

  it('drops and explains other groups, other memberships, other keys and one-sided keys', async () => {
    const cases: [Partial<NetworkOptions>, Partial<NetworkOptions>, 'foreign' | 'unauthenticated', RegExp][] = [
      [{ group: 4 as GroupId }, {}, 'foreign', /group 4/],
      [{ membershipHash: 'other' }, {}, 'foreign', /different list of members/],
      [{ clusterKey: key }, { clusterKey: new Uint8Array(32) }, 'unauthenticated', /cluster keys may differ/],
      [{ clusterKey: key }, {}, 'unauthenticated', /on one side only/],
      [{}, { clusterKey: key }, 'unauthenticated', /on one side only/],
    ];
    for (const [one, two, counter, reason] of cases) {
      const [a, b] = await pair(one, two);
      a.network.send(b.id, ballot(1));
      a.network.send(b.id, ballot(2));
      await until('both are dropped', () => b.network.counters[counter] === 2);
      expect(b.seen).toEqual([]);
      expect(b.warnings.length).toBe(1);
      expect(b.warnings[0]).toMatch(reason);
    }
  });

  it('refuses a recorded datagram that is sent again when there is a cluster key', async () => {
    const members = newMembers(2);
    const wire = await rawSocket();
    const a = await node(members, 0, { clusterKey: key });
    const recorded: Buffer[] = [];
    wire.on('message', (datagram) => recorded.push(datagram));
    (members[1] as MutableMember).electionAddr = `127.0.0.1:${wire.address().port}`;
    start(a);
    a.network.send(2 as ServerId, ballot(1));
    await until('the datagram', () => recorded.length === 1);
    const b = await node(members, 1, { clusterKey: key });
    start(b);
    for (let i = 0; i < 2; i++) wire.send(recorded[0] as Buffer, b.network.boundPort, '127.0.0.1');
    await until('one is dropped', () => b.network.counters.stale === 1);
    expect(b.seen.length).toBe(1);
    const changed = Buffer.from(recorded[0] as Buffer);
    changed[10] = (changed[10] as number) ^ 1;
    wire.send(changed, b.network.boundPort, '127.0.0.1');
    await until('the changed one is dropped', () => b.network.counters.unauthenticated === 1);
  });

  it('counts sends that cannot arrive and goes on', async () => {
    const members = newMembers(3);
    (members[2] as MutableMember).electionAddr = 'no-such-host.invalid:1';
    const [a, b] = [await node(members, 0), await node(members, 1)];
    start(a, b);
    a.network.send(3 as ServerId, ballot(1));
    a.network.send(77 as ServerId, ballot(1));
    expect(a.network.counters.sendFailed).toBe(2);
    a.network.send(b.id, ballot(2));
    await until('a good one', () => b.seen.length === 1);
  });

  it('reaches members by name', async () => {
    const members = newMembers(2);
    const [a, b] = [await node(members, 0), await node(members, 1)];
    for (const member of members) member.electionAddr = member.electionAddr.replace('127.0.0.1', 'localhost');
    start(a, b);
    let round = 0;
    await until('a datagram got through once the name was looked up', () => {
      a.network.send(b.id, ballot(++round));
      return b.seen.length > 0;
    });
    expect(b.seen[0]?.from).toBe(a.id);
  });

  it('says that a port is in use, and that a host is unknown', async () => {
    const members = newMembers(1);
    const a = await node(members, 0);
    const listenElection = `127.0.0.1:${a.network.boundPort}`;
    const other = new UdpElectionNetwork(networkOptions(members, a.id, { listenElection }));
    await expect(other.listen()).rejects.toThrow(
      `Cannot listen on ${listenElection} (ElectionAddr): the port is in use`,
    );
    const nowhere = new UdpElectionNetwork(networkOptions(members, a.id, { listenElection: 'no-such-host.invalid:1' }));
    await expect(nowhere.listen()).rejects.toThrow(
      /Cannot listen on no-such-host.invalid:1 \(ElectionAddr\): the host name/,
    );
  });
});
