// Election datagrams of members that speak TLS and have no cluster key: heard from members, however new their process is,
// and from nobody else.

import { createSocket, type Socket } from 'node:dgram';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type MutableMember, newMembers } from '../../test/support/network-recorders.js';
import { cleanUp, cleanups, node, pair, removeFiles, start, type TlsNode } from '../../test/support/tls-members.js';
import { until } from '../../test/support/until.js';
import type { Epoch, ServerId, Zxid } from '../shared/ids.js';
import type { ElectionMessage } from '../wire/election-codec.js';

afterEach(cleanUp);
afterAll(removeFiles);

function ballot(round: number): ElectionMessage {
  const vote = { epoch: 3 as Epoch, lastZxid: 9 as Zxid, serverId: 1 as ServerId };
  return { role: 'looking', round, vote, ensembleId: null, currentEpoch: 3 as Epoch, probation: false };
}

/** As an election does: again and again until it is heard. */
async function heard(from: TlsNode, to: TlsNode, round: number): Promise<void> {
  await until(`round ${round}`, () => {
    from.elections.send(to.id, ballot(round));
    return to.heard.some((each) => each.from === from.id && each.round === round);
  });
}

describe('election datagrams of members with TLS', () => {
  it('are heard once the keys were told, which takes nothing but sending them', async () => {
    const [a, b] = await pair();
    await heard(a, b, 1);
    await heard(b, a, 2);
    expect([...a.warnings, ...b.warnings]).toEqual([]);
    expect(a.keys.asked + b.keys.asked).toBeLessThanOrEqual(4);
    expect([...a.links.links, ...b.links.links]).toEqual([]);
  });

  it('are heard at once when the members have spoken before', async () => {
    const [a, b] = await pair();
    a.peers.connect(b.id, 'quorum');
    await until('the link', () => a.links.links.length === 1 && b.links.links.length === 1);
    a.elections.send(b.id, ballot(1));
    b.elections.send(a.id, ballot(2));
    await until('both', () => a.heard.length === 1 && b.heard.length === 1);
    expect([a.keys.asked, b.keys.asked]).toEqual([0, 0]);
  });

  it('of a member that was started anew are heard, once each, and those of its process before no more', async () => {
    const members = newMembers(2);
    const recorded: Buffer[] = [];
    const b = await node(members, 1);
    const first = await node(members, 0);
    start(b, first);
    await heard(first, b, 1);
    const wire = await recorder(recorded);
    const real = (members[1] as MutableMember).electionAddr;
    (members[1] as MutableMember).electionAddr = `127.0.0.1:${wire.address().port}`;
    const ports = {
      listenMessage: `127.0.0.1:${first.peers.boundPort}`,
      listenElection: `127.0.0.1:${first.elections.boundPort}`,
    };
    first.close();
    const again = await node(members, 0, { ...ports, boot: 2 });
    start(again);
    again.elections.send(b.id, ballot(2));
    await until('what was said in the new key', () => recorded.length === 1);
    const repeat = (): void => wire.send(recorded[0] as Buffer, b.elections.boundPort, '127.0.0.1');
    await until('it is heard', () => {
      repeat();
      return b.heard.some(({ round }) => round === 2);
    });
    const { stale } = b.elections.counters;
    repeat();
    await until('it is old now', () => b.elections.counters.stale > stale);
    (members[1] as MutableMember).electionAddr = real;
    again.close();
    const third = await node(members, 0, { ...ports, boot: 3 });
    start(third);
    await heard(third, b, 3);
    await heard(b, third, 4);
    const { unauthenticated } = b.elections.counters;
    repeat();
    await until('it is dropped', () => b.elections.counters.unauthenticated > unauthenticated);
    expect(b.heard.filter(({ round }) => round === 2).length).toBe(1);
  });

  it('that are forged are dropped, and bring about few connections', async () => {
    const members = newMembers(2);
    const recorded: Buffer[] = [];
    const b = await node(members, 1);
    const a = await node(members, 0);
    start(b, a);
    await heard(a, b, 1);
    const wire = await recorder(recorded);
    const thief = await node(
      [
        { ...(members[0] as MutableMember) },
        { ...(members[1] as MutableMember), electionAddr: `127.0.0.1:${wire.address().port}` },
      ],
      0,
      { listenMessage: '127.0.0.1:0' },
    );
    thief.elections.start(() => undefined);
    for (let round = 100; round < 130; round++) thief.elections.send(b.id, ballot(round));
    await until('what it sent', () => recorded.length === 30);
    const asked = b.keys.asked;
    const { unauthenticated } = b.elections.counters;
    for (const forged of recorded) wire.send(forged, b.elections.boundPort, '127.0.0.1');
    await until('all are dropped', () => b.elections.counters.unauthenticated === unauthenticated + 30);
    expect(b.keys.asked - asked).toBeLessThanOrEqual(2);
    await until('the warning', () => {
      wire.send(recorded[0] as Buffer, b.elections.boundPort, '127.0.0.1');
      return b.warnings.some((text) => /in the name of server 1 were dropped/.test(text));
    });
    await heard(a, b, 2);
    expect(b.heard.every(({ round }) => round < 100)).toBe(true);
  });

  it('are tagged by the cluster key where there is one', async () => {
    const keyed = { clusterKey: new Uint8Array(32).fill(7), datagramKeys: undefined };
    const [a, b] = await pair(keyed, keyed);
    a.elections.send(b.id, ballot(1));
    await until('it', () => b.heard.length === 1);
    expect(b.peers.counters.linksOpened).toBe(0);
  });

  it('say that PeerTls is set on one side only', async () => {
    const [a, b] = await pair({}, { peerTls: undefined, datagramKeys: undefined });
    b.elections.send(a.id, ballot(1));
    await until('what the other side is told', () => b.warnings.some((text) => /PeerTls is not set here/.test(text)));
    await until('the warning', () =>
      a.warnings.some((text) => /cluster key, or PeerTls, is set on one side/.test(text)),
    );
    expect(a.heard).toEqual([]);
  });
});

async function recorder(recorded: Buffer[]): Promise<Socket> {
  const socket = createSocket('udp4');
  cleanups.push(() => socket.close());
  socket.on('message', (datagram) => recorded.push(datagram));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket;
}
