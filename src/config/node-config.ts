// The configuration of one server as the rest of the program sees it: complete, validated, defaults filled in. Also
// what a configuration file does not say and derives instead: member ids and the membership's hash. Reads no file.

import { createHash } from 'node:crypto';
import type { ServerId } from '../shared/ids.js';
import { toServerId } from '../shared/ids.js';
import { type Limits, limits } from './limits.js';

export const defaultEnsembleName = 'zabtree';
export const defaultDataDir = './data';
export const defaultHost = {
  electionAddr: '127.0.0.1:5001',
  messageAddr: '127.0.0.1:5002',
  requestAddr: '127.0.0.1:5003',
} as const;

/** A voter, by its advertised addresses, `host:port`. */
export interface MemberConfig {
  readonly id: ServerId;
  readonly electionAddr: string;
  readonly messageAddr: string;
  /** What operators call it. Part of no id: members may call each other what they like. */
  readonly name?: string;
}

/** All milliseconds. */
export interface TimingConfig {
  /** Interval of the clock's ticks to the consensus core. */
  readonly tickMs: number;
  /** Leader to follower, on a quiet link. */
  readonly pingIntervalMs: number;
  /** A leader that hears from no quorum, and a follower that hears nothing from its leader, gives up after this. */
  readonly syncLimitMs: number;
  /** Discovery and synchronization must make progress within this. */
  readonly initLimitMs: number;
  /** Longest wait for a better vote once a quorum agrees. */
  readonly electionFinalizeMs: number;
  /** First and longest interval between repeated election datagrams. */
  readonly electionResendMinMs: number;
  readonly electionResendMaxMs: number;
  /** Applied state is flushed to the tree's disk at least this often while there is any. */
  readonly flushIntervalMs: number;
  /** Everything on disk is verified: from the start to the first round, and from the end of a round to the next. */
  readonly scrubDelayMs: number;
  readonly scrubIntervalMs: number;
  /** A leader has all members compare digests of the whole tree this often. */
  readonly digestIntervalMs: number;
  /** What remains of a lease that is not renewed is told to the next leader this often. */
  readonly leaseCheckpointIntervalMs: number;
}

export const defaultTiming: TimingConfig = {
  tickMs: 20,
  pingIntervalMs: 100,
  syncLimitMs: 2_000,
  initLimitMs: 15_000,
  electionFinalizeMs: 100,
  electionResendMinMs: 50,
  electionResendMaxMs: 500,
  flushIntervalMs: 1_000,
  scrubDelayMs: 60_000,
  scrubIntervalMs: 21_600_000,
  digestIntervalMs: 21_600_000,
  leaseCheckpointIntervalMs: 300_000,
};

export const logLevels = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ['text', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** Addresses to bind, `host:port`, where they differ from the advertised ones. */
export interface ListenConfig {
  readonly election: string;
  readonly message: string;
  readonly request: string;
}

/** TLS for clients: paths of PEM files, which are read again when they change. */
export interface ClientTlsConfig {
  readonly certFile: string;
  readonly keyFile: string;
  /** Client certificates are verified by these authorities; undefined: none is asked for. */
  readonly trustedCaFile: string | undefined;
  /** A client without a certificate is refused. */
  readonly clientCertAuth: boolean;
  /** Connections without TLS are served, too. */
  readonly allowPlain: boolean;
}

/** TLS between members, in which each shows a certificate: paths of PEM files, which are read again when they change. */
export interface PeerTlsConfig {
  /** For this member's host, as a server and as a client. */
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificates of the others are verified by these authorities. */
  readonly trustedCaFile: string;
  /** Where given, the others' certificates need this common name, or have to be for this host. */
  readonly allowedCommonName: string | undefined;
  readonly allowedHostname: string | undefined;
}

/** An address at which clients may come besides the first one. */
export interface ClientListenerConfig {
  /** To bind, `host:port`. */
  readonly address: string;
  readonly tls: ClientListenerTls;
  /** monitors: metrics and health alone, over HTTP/1.1. */
  readonly serves: ClientListenerServes;
}

export const clientListenerTls = ['none', 'allowed', 'required'] as const;
export type ClientListenerTls = (typeof clientListenerTls)[number];
export const clientListenerServes = ['clients', 'monitors'] as const;
export type ClientListenerServes = (typeof clientListenerServes)[number];

export const jwtSignMethods = [
  ...(['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512'] as const),
  ...(['PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512'] as const),
] as const;

/** Users' tokens as JWT; paths of PEM files, for HS… of the secret itself, as the private key. */
export interface JwtConfig {
  readonly signMethod: (typeof jwtSignMethods)[number];
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  readonly ttlMs: number;
}

export const defaultJwtTtlMs = 300_000;

/** History that the leader compacts by itself: what is older, or what has so many newer revisions. */
export type AutoCompactionConfig =
  | { readonly type: 'period'; readonly periodMs: number }
  | { readonly type: 'revisions'; readonly revisionsKept: number };

export interface NodeConfig {
  /** Part of every member's id: two ensembles with different names never mix. */
  readonly ensembleName: string;
  readonly self: MemberConfig;
  /** All voters, self included, ordered by id. */
  readonly members: readonly MemberConfig[];
  /** Advertised address of this node's client port, `host:port`. */
  readonly requestAddr: string;
  readonly listen: ListenConfig;
  readonly furtherListeners: readonly ClientListenerConfig[];
  /** Absolute, or relative to the working directory. */
  readonly dataDir: string;
  /** Lets a quorum form a new ensemble without the missing members. */
  readonly bootstrap: boolean;
  /** Shared secret that authenticates election datagrams and peer connections. */
  readonly clusterKey?: Uint8Array | undefined;
  /** Undefined: members connect to each other without TLS. */
  readonly peerTls?: PeerTlsConfig | undefined;
  /** Undefined: clients come without TLS. */
  readonly clientTls?: ClientTlsConfig | undefined;
  /** Undefined: tokens that only this ensemble can read. */
  readonly jwtTokens?: JwtConfig | undefined;
  /** Undefined: history is compacted when a client asks for it. */
  readonly autoCompaction?: AutoCompactionConfig | undefined;
  readonly timing: TimingConfig;
  readonly limits: Limits;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

/** Id of a founding member: 53 bits of a hash of the ensemble's name and the member's MessageAddr as written. Never 0. */
export function serverIdOf(ensembleName: string, messageAddr: string): ServerId {
  const hash = createHash('sha256').update(`${ensembleName}\0${messageAddr}`, 'utf8').digest();
  const id = (hash.readUInt32BE(0) % 2 ** 21) * 2 ** 32 + hash.readUInt32BE(4);
  return toServerId(id === 0 ? 1 : id);
}

/** Equal on two nodes exactly if they list the same voters: 16 hexadecimal digits. */
export function membershipHash(members: readonly MemberConfig[]): string {
  const hash = createHash('sha256');
  for (const member of sortedMembers(members))
    hash.update(`${member.id} ${member.electionAddr} ${member.messageAddr}\n`);
  return hash.digest('hex').slice(0, 16);
}

export function sortedMembers(members: readonly MemberConfig[]): MemberConfig[] {
  return [...members].sort((a, b) => a.id - b.id);
}

/** The addresses that say who a member is, and its name if it has one. */
export interface MemberAddrs {
  readonly electionAddr: string;
  readonly messageAddr: string;
  readonly name?: string;
}

/** A complete configuration from the few things that have no default; for the loader and for tests. */
export function nodeConfigOf(given: {
  readonly self: MemberAddrs;
  readonly peers: readonly MemberAddrs[];
  readonly requestAddr: string;
  readonly ensembleName?: string;
  readonly listen?: Partial<ListenConfig>;
  readonly furtherListeners?: readonly ClientListenerConfig[];
  readonly dataDir?: string;
  readonly bootstrap?: boolean;
  readonly clusterKey?: Uint8Array | undefined;
  readonly peerTls?: PeerTlsConfig | undefined;
  readonly clientTls?: ClientTlsConfig | undefined;
  readonly jwtTokens?: JwtConfig | undefined;
  readonly autoCompaction?: AutoCompactionConfig | undefined;
  readonly timing?: Partial<TimingConfig>;
  readonly limits?: Partial<Limits>;
  readonly logLevel?: LogLevel;
  readonly logFormat?: LogFormat;
}): NodeConfig {
  const ensembleName = given.ensembleName ?? defaultEnsembleName;
  const memberOf = ({ electionAddr, messageAddr, name }: MemberAddrs): MemberConfig => ({
    id: serverIdOf(ensembleName, messageAddr),
    electionAddr,
    messageAddr,
    ...(name === undefined ? {} : { name }),
  });
  const self = memberOf(given.self);
  const others = given.peers.map(memberOf).filter((peer) => peer.id !== self.id);
  return {
    ensembleName,
    self,
    members: sortedMembers([self, ...others]),
    requestAddr: given.requestAddr,
    listen: {
      election: given.listen?.election ?? self.electionAddr,
      message: given.listen?.message ?? self.messageAddr,
      request: given.listen?.request ?? given.requestAddr,
    },
    furtherListeners: given.furtherListeners ?? [],
    dataDir: given.dataDir ?? defaultDataDir,
    bootstrap: given.bootstrap ?? false,
    ...(given.clusterKey === undefined ? {} : { clusterKey: given.clusterKey }),
    ...(given.peerTls === undefined ? {} : { peerTls: given.peerTls }),
    ...(given.clientTls === undefined ? {} : { clientTls: given.clientTls }),
    ...(given.jwtTokens === undefined ? {} : { jwtTokens: given.jwtTokens }),
    ...(given.autoCompaction === undefined ? {} : { autoCompaction: given.autoCompaction }),
    timing: { ...defaultTiming, ...given.timing },
    limits: { ...limits, ...given.limits },
    logLevel: given.logLevel ?? 'info',
    logFormat: given.logFormat ?? 'text',
  };
}
