// TLS between members over real sockets: who is let in, and what either side is told.

import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type MutableMember, newMembers } from '../../test/support/network-recorders.js';
import { testCertificate } from '../../test/support/test-certificates.js';
import {
  another,
  authority,
  cleanUp,
  cleanups,
  directory,
  file,
  good,
  node,
  pair,
  removeFiles,
  start,
  type TlsNode,
  tlsOf,
} from '../../test/support/tls-members.js';
import { until } from '../../test/support/until.js';
import { limits } from '../config/limits.js';
import type { NetworkOptions, PeerTlsOptions } from './network-options.js';
import { TlsPeerSockets } from './peer-sockets.js';

afterEach(cleanUp);
afterAll(removeFiles);

/** A TCP client that says what it likes. */
async function stranger(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' });
  cleanups.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.on('error', () => undefined);
  socket.resume();
  return socket;
}

describe('connections between members with TLS', () => {
  it('open, and carry frames of every size both ways', async () => {
    const [a, b] = await pair();
    a.peers.connect(b.id, 'quorum');
    await until('both sides open', () => a.links.links.length === 1 && b.links.links.length === 1);
    for (const size of [0, 1, 4_097, 3_000_000]) {
      a.peers.send(a.links.link, [new Uint8Array(size).fill(1), Uint8Array.of(2)]);
      b.peers.send(b.links.link, [new Uint8Array(size + 1).fill(3)]);
    }
    await until('all frames', () => a.links.frames.length === 4 && b.links.frames.length === 4);
    expect(b.links.frames.map(({ frame }) => [frame.length, frame.at(-1)])).toEqual(
      [1, 2, 4_098, 3_000_001].map((length) => [length, 2]),
    );
    a.peers.send(a.links.link, [Uint8Array.of(7)]);
    a.peers.close(a.links.link);
    await until('the closing', () => b.links.closings.length === 1);
    expect(b.links.frames.at(-1)?.frame).toEqual(Uint8Array.of(7));
    expect([...a.warnings, ...b.warnings]).toEqual([]);
  });

  it('are bounded in what waits for a member that does not read, and tell when it has drained', async () => {
    const small = { limits: { ...limits, peerQueueBytesMax: 8 * 2 ** 20, peerQueueLowBytes: 2 ** 20 } };
    const members = newMembers(2);
    const [a, b] = [await node(members, 0, small), await node(members, 1, small)];
    const pipes: (readonly [Socket, Socket])[] = [];
    const between = createServer((client) => {
      const upstream = connect(b.peers.boundPort, '127.0.0.1');
      pipes.push([client, upstream]);
      for (const socket of [client, upstream]) {
        socket.on('error', () => undefined);
        cleanups.push(() => socket.destroy());
      }
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => between.close());
    (members[1] as MutableMember).messageAddr = `127.0.0.1:${(between.address() as AddressInfo).port}`;
    start(a, b);
    a.peers.connect(b.id, 'bulk');
    await until('the link', () => a.links.links.length === 1 && b.links.links.length === 1);
    const { link } = a.links;
    for (const [client] of pipes) client.unpipe();
    for (const [client] of pipes) client.pause();
    const chunk = new Uint8Array(2 ** 20);
    for (let i = 0; i < 6; i++) a.peers.send(link, [chunk]);
    expect(a.peers.queuedBytes(link)).toBeGreaterThan(5 * 2 ** 20);
    for (const [client, upstream] of pipes) client.pipe(upstream);
    await until('drained', () => a.links.drainedLinks.length === 1);
    await until('six frames', () => b.links.frames.length === 6);
    for (const [client] of pipes) client.unpipe();
    for (const [client] of pipes) client.pause();
    for (let i = 0; i < 40; i++) a.peers.send(link, [chunk]);
    await until('the closing', () => a.links.closings.length === 1);
    expect(a.links.closings[0]?.reason).toMatch(/outgoing queue passed 8388608 bytes/);
  });

  it('open with a cluster key as well', async () => {
    const keyed = { clusterKey: new Uint8Array(32).fill(7), datagramKeys: undefined };
    const [a, b] = await pair(keyed, keyed);
    a.peers.connect(b.id, 'quorum');
    await until('the link', () => a.links.links.length === 1);
  });

  it('open to a host by its name', async () => {
    const members = newMembers(2);
    const byName = { peerTls: tlsOf(testCertificate('named', authority, { hosts: ['localhost'] })) };
    const [a, b] = [await node(members, 0, byName), await node(members, 1, byName)];
    for (const member of members) member.messageAddr = member.messageAddr.replace('127.0.0.1', 'localhost');
    start(a, b);
    a.peers.connect(b.id, 'bulk');
    await until('the link', () => b.links.links.length === 1);
  });

  const signed = (name: string, details?: Parameters<typeof testCertificate>[2]): Partial<NetworkOptions> => ({
    peerTls: tlsOf(testCertificate(name, authority, details)),
  });
  const plain = { peerTls: undefined, datagramKeys: undefined };
  const vouched = /is not vouched for by PeerTls\.TrustedCaFile \(\w+\)/;
  const wrongAuthority = { peerTls: tlsOf(testCertificate('member', another)) };
  const allowed = (different: Partial<PeerTlsOptions>): Partial<NetworkOptions> => ({
    peerTls: tlsOf(good, different),
  });

  // Of a side that refuses the reason is in its own words, and the other side is told it.
  it.each<[string, Partial<NetworkOptions>, Partial<NetworkOptions>, RegExp]>([
    ['a connector of another authority', wrongAuthority, allowed({}), vouched],
    ['an acceptor of another authority', {}, wrongAuthority, vouched],
    ['a connector whose certificate has expired', signed('m', { expired: true }), {}, /of the connector has expired/],
    ['an acceptor whose certificate has expired', {}, signed('m', { expired: true }), /of the acceptor has expired/],
    ['an acceptor at another host', {}, signed('m', { hosts: ['10.0.0.1'] }), /of the acceptor is not for 127.0.0.1/],
    [
      'a connector that is a member at another host',
      signed('m', { hosts: ['10.0.0.1', 'localhost'] }),
      {},
      /the certificate of server 1 is not for 127\.0\.0\.1, where it is a member/,
    ],
    ['a connector with another name', {}, allowed({ allowedCommonName: 'x' }), /connector has another common name/],
    ['an acceptor with another name', allowed({ allowedCommonName: 'x' }), {}, /acceptor has another common name/],
    [
      'a connector for another host',
      {},
      allowed({ allowedHostname: 'h' }),
      /connector is not for PeerTls.AllowedHostname/,
    ],
    ['a connector without TLS', plain, {}, /the connector does not speak TLS, which PeerTls asks for here/],
    [
      'a connector with TLS where there is none',
      {},
      plain,
      /^Cannot connect to \S+: the other side does not speak TLS|the connector speaks TLS, and PeerTls is not set here/,
    ],
  ])('refuse %s, and both sides say why', async (_, one, two, reason) => {
    const [a, b] = await pair(one, two);
    a.peers.connect(b.id, 'quorum');
    await until('the failure', () => a.links.failures.length === 1 && b.warnings.length === 1);
    expect(a.links.failures[0]?.reason).toMatch(reason);
    expect(b.warnings[0]).toMatch(reason);
    expect([...a.links.links, ...b.links.links]).toEqual([]);
    expect([a.peers.counters.linksOpened, b.peers.counters.linksOpened]).toEqual([0, 0]);
  });

  it('open between those whose common name, or host, is the one that is allowed', async () => {
    const [a, b] = await pair(allowed({ allowedCommonName: 'member' }), allowed({ allowedHostname: '127.0.0.1' }));
    a.peers.connect(b.id, 'quorum');
    await until('the link', () => b.links.links.length === 1);
  });

  it('refuse a connector without a certificate, and say so', async () => {
    const [, b] = await pair();
    const socket = connectTls({ port: b.peers.boundPort, host: '127.0.0.1', ca: authority.cert });
    cleanups.push(() => socket.destroy());
    const answer = new Promise<string>((resolve) => socket.once('data', (data: Buffer) => resolve(data.toString())));
    expect(await answer).toContain('the connector has no certificate');
    await until('the warning', () => b.warnings.length === 1);
    expect(b.warnings[0]).toMatch(/^Refused a peer connection from 127\.0\.0\.1: the connector has no certificate$/);
  });

  it('end when the handshake stalls or breaks at any stage, and leave nothing behind', async () => {
    const hasty = { limits: { ...limits, handshakeTimeoutMs: 100 } };
    const [, b] = await pair({}, hasty);
    for (const bytes of ['', '16', '160301', '16030100c8', '160301000401020304', '16ffffffff', '00000002', 'ff']) {
      const socket = await stranger(b.peers.boundPort);
      socket.write(Buffer.from(bytes, 'hex'));
      await until(`the one that said "${bytes}" is out`, () => socket.closed);
    }
    const broken = await stranger(b.peers.boundPort);
    broken.write(Buffer.from('16030100', 'hex'));
    broken.resetAndDestroy();
    // TLS is there, and no Hello.
    const silent = connectTls({ port: b.peers.boundPort, host: '127.0.0.1', ca: authority.cert, ...good });
    silent.on('error', () => undefined);
    await until('the silent one is out', () => silent.closed);
    expect(b.peers.counters.handshakesTimedOut).toBeGreaterThanOrEqual(5);
    expect(b.links.links).toEqual([]);
  });

  it('open while strangers hold more half-open handshakes of TLS than are allowed', async () => {
    const few = { limits: { ...limits, peerHandshakesMax: 4 } };
    const [a, b] = await pair(few, few);
    const strangers: Socket[] = [];
    for (let i = 0; i < 12; i++) {
      const socket = await stranger(b.peers.boundPort);
      socket.write(Buffer.from('16030100c8', 'hex'));
      strangers.push(socket);
    }
    a.peers.connect(b.id, 'quorum');
    await until('the link', () => b.links.links.length === 1);
    await until('closed sockets', () => strangers.filter((socket) => socket.closed).length >= 8);
    expect(b.peers.counters.handshakesEvicted).toBeGreaterThanOrEqual(8);
  });

  it('cannot be had without the files, and say which', async () => {
    const listening = (different: Partial<PeerTlsOptions>): Promise<TlsNode> =>
      node(newMembers(1), 0, { peerTls: tlsOf(good, different) });
    const missing = join(directory, 'missing.pem');
    await expect(listening({ certFile: missing })).rejects.toThrow(`Cannot read PeerTls.CertFile "${missing}": ENOENT`);
    await expect(listening({ trustedCaFile: missing })).rejects.toThrow('Cannot read PeerTls.TrustedCaFile');
    await expect(listening({ keyFile: file(another.key) })).rejects.toThrow(
      /^Cannot use the files of PeerTls: .*mismatch/,
    );
  });
});

describe('the files of TLS between members', () => {
  it('are read again when they change, unless they do not fit together', async () => {
    const options = tlsOf(good);
    const told: string[] = [];
    const log = { info: (text: string) => told.push(text), warn: (text: string) => told.push(text) };
    const sockets = new TlsPeerSockets(options, log, 20);
    sockets.open();
    cleanups.push(() => sockets.close());
    const renewed = testCertificate('renewed', authority);
    // Whatever was there when looking begins is no change: written until it is seen.
    await until('the look', () => {
      writeFileSync(options.certFile, renewed.cert);
      return told.some((text) => text.includes('goes on with the old files'));
    });
    await until('the next look', () => {
      writeFileSync(options.keyFile, renewed.key);
      return told.some((text) => text.includes('goes on with changed files'));
    });
  });
});
