// Both networks of members that speak TLS, on free ports, with certificates in files of a directory that is made here.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServerId } from '../../src/shared/ids.js';
import { DatagramKeys } from '../../src/transport/datagram-keys.js';
import { UdpElectionNetwork } from '../../src/transport/election-network.js';
import type { NetworkOptions, PeerTlsOptions } from '../../src/transport/network-options.js';
import { TcpPeerNetwork } from '../../src/transport/peer-network.js';
import { type MutableMember, networkOptions, newMembers, PeerRecorder } from './network-recorders.js';
import { type TestCertificate, testCertificate } from './test-certificates.js';

export const directory = mkdtempSync(join(tmpdir(), 'zabtree-peer-tls-'));
export const authority = testCertificate('the authority');
export const another = testCertificate('another authority');
export const good = testCertificate('member', authority);

/** Done after each test by whoever uses this. */
export const cleanups: (() => void)[] = [];

export function cleanUp(): void {
  for (const cleanup of cleanups.splice(0)) cleanup();
}

export function removeFiles(): void {
  rmSync(directory, { recursive: true });
}

let files = 0;
export function file(text: string): string {
  const path = join(directory, `${++files}.pem`);
  writeFileSync(path, text);
  return path;
}

export function tlsOf(own: TestCertificate, different: Partial<PeerTlsOptions> = {}): PeerTlsOptions {
  const paths = { certFile: file(own.cert), keyFile: file(own.key), trustedCaFile: trusted };
  return { ...paths, allowedCommonName: undefined, allowedHostname: undefined, ...different };
}
const trusted = file(authority.cert);
const peerTls = tlsOf(good);

export interface TlsNode {
  readonly peers: TcpPeerNetwork;
  readonly elections: UdpElectionNetwork;
  readonly keys: DatagramKeys;
  readonly links: PeerRecorder;
  readonly heard: { readonly from: ServerId; readonly round: number }[];
  readonly warnings: string[];
  readonly id: ServerId;
  close(): void;
}

/** Listens; `started` makes it speak. */
export async function node(
  members: MutableMember[],
  index: number,
  different: Partial<NetworkOptions> = {},
): Promise<TlsNode> {
  const member = members[index] as MutableMember;
  const keys = new DatagramKeys();
  const options = networkOptions(members, member.id, { peerTls, datagramKeys: keys, ...different });
  const peers = new TcpPeerNetwork(options);
  const elections = new UdpElectionNetwork(options);
  await peers.listen();
  await elections.listen();
  member.messageAddr = `127.0.0.1:${peers.boundPort}`;
  member.electionAddr = `127.0.0.1:${elections.boundPort}`;
  const close = (): void => {
    peers.stop();
    elections.close();
  };
  cleanups.push(close);
  const links = new PeerRecorder();
  return { peers, elections, keys, links, heard: [], warnings: options.warnings, id: member.id, close };
}

export function start(...nodes: readonly TlsNode[]): void {
  for (const { peers, elections, links, heard } of nodes) {
    peers.start(links);
    elections.start((from, { round }) => heard.push({ from, round }));
  }
}

export async function pair(
  one: Partial<NetworkOptions> = {},
  two: Partial<NetworkOptions> = {},
): Promise<[TlsNode, TlsNode]> {
  const members = newMembers(2);
  const nodes: [TlsNode, TlsNode] = [await node(members, 0, one), await node(members, 1, two)];
  start(...nodes);
  return nodes;
}
