// From configuration file, environment and flags to a NodeConfig, or to a ConfigError that says what to change. Touches
// no disk but the configuration and the key file; what the machine allows (ports, directories) shows at start.

import { readFileSync } from 'node:fs';
import { ConfigError } from './config-error.js';
import { configErrorOf, readConfigFile } from './config-file.js';
import { type ServerFile, serverFileShape } from './config-schema.js';
import { type ConfigDocument, type FlagValues, layOver } from './config-settings.js';
import type { Limits } from './limits.js';
import {
  type AutoCompactionConfig,
  type ClientListenerConfig,
  type ClientTlsConfig,
  defaultHost,
  defaultJwtTtlMs,
  type JwtConfig,
  type MemberAddrs,
  type NodeConfig,
  nodeConfigOf,
  type PeerTlsConfig,
  type TimingConfig,
} from './node-config.js';
import { pascalCase } from './pascal-case.js';

export interface ConfigSources {
  /** Path of the file; undefined: the defaults, one node on loopback. */
  readonly file?: string | undefined;
  /** What stands in place of a file. */
  readonly document?: ConfigDocument;
  readonly environment?: NodeJS.ProcessEnv;
  readonly flags?: FlagValues;
}

/** A key shorter than this protects nothing. */
const clusterKeyBytesMin = 16;

/** Throws ConfigError. */
export function loadNodeConfig(sources: ConfigSources): NodeConfig {
  const given = sources.document ?? defaultDocument();
  const document = sources.file === undefined ? given : readConfigFile(sources.file);
  const source = sources.file === undefined ? 'the configuration' : `configuration "${sources.file}"`;
  if (looksLikeClientFile(document)) {
    throw new ConfigError(
      `Cannot use ${source}: it is a client's configuration (Peer with RequestAddr, no Host), expected a server's`,
    );
  }
  const layers = layOver(document, sources.environment ?? {}, sources.flags ?? {});
  const file: unknown = layers.document;
  const shapeProblems: string[] = [];
  if (!serverFileShape.fits(file, '', shapeProblems))
    throw configErrorOf(source, withOrigins(shapeProblems, layers.origins));
  const problems = contradictionsOf(file);
  if (problems.length > 0) throw configErrorOf(source, withOrigins(problems, layers.origins));
  const config = nodeConfigFrom(file);
  const limitProblems = [...limitProblemsOf(config.limits), ...timingProblemsOf(config.timing)];
  if (limitProblems.length > 0) throw configErrorOf(source, withOrigins(limitProblems, layers.origins));
  return config;
}

/** Checks a server's file alone, without environment and flags, and gives its document. Throws ConfigError. */
export function readServerDocument(file: string | undefined): ConfigDocument {
  loadNodeConfig({ file });
  return file === undefined ? defaultDocument() : readConfigFile(file);
}

function defaultDocument(): ConfigDocument {
  return {
    Host: {
      ElectionAddr: defaultHost.electionAddr,
      MessageAddr: defaultHost.messageAddr,
      RequestAddr: defaultHost.requestAddr,
    },
  };
}

function looksLikeClientFile(document: ConfigDocument): boolean {
  const peers = document['Peer'];
  if (document['Host'] !== undefined || !Array.isArray(peers) || peers.length === 0) return false;
  return peers.every(
    (peer) => typeof peer === 'object' && peer !== null && 'RequestAddr' in peer && !('MessageAddr' in peer),
  );
}

function withOrigins(problems: readonly string[], origins: ReadonlyMap<string, string>): string[] {
  return problems.map((problem) => {
    const path = /^[\w.[\]]+/.exec(problem)?.[0].replace(/\.$/, '') ?? '';
    const origin = origins.get(path);
    return origin === undefined ? problem : `${problem} (set by ${origin})`;
  });
}

/** What each key allows by itself and all of them together do not. */
function contradictionsOf(file: ServerFile): string[] {
  const problems: string[] = [];
  const taken = new Map<string, string>();
  const take = (address: string, where: string): void => {
    // Elections are UDP and everything else is TCP: one port may serve both.
    const place = `${where.endsWith('ElectionAddr') ? 'udp' : 'tcp'} ${address.toLowerCase()}`;
    const other = taken.get(place);
    if (other === undefined) taken.set(place, where);
    else problems.push(`${where} repeats the address ${address} of ${other}: every address must be different`);
  };
  take(file.Host.ElectionAddr, 'Host.ElectionAddr');
  take(file.Host.MessageAddr, 'Host.MessageAddr');
  take(file.Host.RequestAddr, 'Host.RequestAddr');
  let hostSeen = false;
  for (const [index, peer] of (file.Peer ?? []).entries()) {
    const isHost = peer.ElectionAddr === file.Host.ElectionAddr && peer.MessageAddr === file.Host.MessageAddr;
    if (isHost && !hostSeen) {
      hostSeen = true;
      continue;
    }
    take(peer.ElectionAddr, `Peer[${index}].ElectionAddr`);
    take(peer.MessageAddr, `Peer[${index}].MessageAddr`);
    if (peer.RequestAddr !== undefined) take(peer.RequestAddr, `Peer[${index}].RequestAddr`);
  }
  if (file.ClusterKey !== undefined && file.ClusterKeyFile !== undefined) {
    problems.push('ClusterKey and ClusterKeyFile are both given: expected one of them');
  }
  if (file.PeerTls?.AllowedCommonName !== undefined && file.PeerTls.AllowedHostname !== undefined) {
    problems.push('PeerTls.AllowedCommonName and PeerTls.AllowedHostname are both given: expected one of them');
  }
  const { ClientTls: tls } = file;
  if (tls !== undefined) {
    if (tls.CertFile === undefined) problems.push('ClientTls.CertFile is missing: expected a certificate for TLS');
    if (tls.KeyFile === undefined) problems.push('ClientTls.KeyFile is missing: expected the key of the certificate');
    if (tls.ClientCertAuth === true && tls.TrustedCaFile === undefined) {
      problems.push("ClientTls.TrustedCaFile is missing: expected the authorities of clients' certificates");
    }
  }
  problems.push(...listenerProblemsOf(file));
  const { JwtTokens: jwt } = file;
  if (jwt !== undefined && jwt.PrivateKeyFile === undefined && jwt.PublicKeyFile === undefined) {
    problems.push('JwtTokens.PrivateKeyFile is missing: expected a key to sign with, or PublicKeyFile to verify with');
  }
  const { AutoCompaction: auto } = file;
  if (auto?.PeriodMs !== undefined && auto.RevisionsKept !== undefined) {
    problems.push('AutoCompaction.PeriodMs and AutoCompaction.RevisionsKept are both given: expected one of them');
  }
  return problems;
}

/** What is bound, that is: one of the listeners may well be what is told to others. */
function listenerProblemsOf({ Host, ClientTls }: ServerFile): string[] {
  const problems: string[] = [];
  const bound = new Set([(Host.ListenRequestAddr ?? Host.RequestAddr).toLowerCase()]);
  for (const [index, { Addr, Tls }] of (Host.FurtherListeners ?? []).entries()) {
    const where = `Host.FurtherListeners[${index}]`;
    const place = Addr.toLowerCase();
    if (bound.has(place)) problems.push(`${where}.Addr repeats the address ${Addr}: every address must be different`);
    bound.add(place);
    if (ClientTls === undefined && Tls !== undefined && Tls !== 'none')
      problems.push(`${where}.Tls is "${Tls}": expected ClientTls with a certificate`);
  }
  return problems;
}

function nodeConfigFrom(file: ServerFile): NodeConfig {
  const { Host } = file;
  const listen = {
    election: Host.ListenElectionAddr,
    message: Host.ListenMessageAddr,
    request: Host.ListenRequestAddr,
  };
  const clusterKey = clusterKeyOf(file);
  return nodeConfigOf({
    self: memberAddrsOf(Host),
    peers: (file.Peer ?? []).map(memberAddrsOf),
    requestAddr: Host.RequestAddr,
    listen: defined(listen),
    furtherListeners: furtherListenersOf(file),
    ...defined({
      ensembleName: file.EnsembleName,
      dataDir: file.DataDir,
      bootstrap: file.Bootstrap,
      logLevel: file.LogLevel,
      logFormat: file.LogFormat,
    }),
    clusterKey,
    peerTls: peerTlsOf(file),
    clientTls: clientTlsOf(file),
    jwtTokens: jwtTokensOf(file),
    autoCompaction: autoCompactionOf(file),
    timing: camelCased(file.Timing ?? {}) as Partial<TimingConfig>,
    limits: camelCased(file.Limits ?? {}) as Partial<Limits>,
  });
}

function memberAddrsOf(member: Pick<ServerFile['Host'], 'ElectionAddr' | 'MessageAddr' | 'Name'>): MemberAddrs {
  const { ElectionAddr: electionAddr, MessageAddr: messageAddr, Name: name } = member;
  return name === undefined ? { electionAddr, messageAddr } : { electionAddr, messageAddr, name };
}

function peerTlsOf({ PeerTls: tls }: ServerFile): PeerTlsConfig | undefined {
  if (tls === undefined) return undefined;
  return {
    certFile: tls.CertFile,
    keyFile: tls.KeyFile,
    trustedCaFile: tls.TrustedCaFile,
    allowedCommonName: tls.AllowedCommonName,
    allowedHostname: tls.AllowedHostname,
  };
}

function clientTlsOf({ ClientTls: tls }: ServerFile): ClientTlsConfig | undefined {
  if (tls?.CertFile === undefined || tls.KeyFile === undefined) return undefined;
  return {
    certFile: tls.CertFile,
    keyFile: tls.KeyFile,
    trustedCaFile: tls.TrustedCaFile,
    clientCertAuth: tls.ClientCertAuth ?? false,
    allowPlain: tls.AllowPlain ?? false,
  };
}

function furtherListenersOf({ Host, ClientTls: tls }: ServerFile): ClientListenerConfig[] {
  const asTheFirst = tls === undefined ? 'none' : tls.AllowPlain === true ? 'allowed' : 'required';
  return (Host.FurtherListeners ?? []).map(({ Addr, Tls, Serves }) => ({
    address: Addr,
    tls: Tls ?? asTheFirst,
    serves: Serves ?? 'clients',
  }));
}

function jwtTokensOf({ JwtTokens: jwt }: ServerFile): JwtConfig | undefined {
  if (jwt === undefined) return undefined;
  return {
    signMethod: jwt.SignMethod,
    publicKeyFile: jwt.PublicKeyFile,
    privateKeyFile: jwt.PrivateKeyFile,
    ttlMs: jwt.TtlMs ?? defaultJwtTtlMs,
  };
}

function autoCompactionOf({ AutoCompaction: auto }: ServerFile): AutoCompactionConfig | undefined {
  if (auto?.PeriodMs !== undefined) return { type: 'period', periodMs: auto.PeriodMs };
  if (auto?.RevisionsKept !== undefined) return { type: 'revisions', revisionsKept: auto.RevisionsKept };
  return undefined;
}

function clusterKeyOf(file: ServerFile): Uint8Array | undefined {
  if (file.ClusterKey !== undefined) return new TextEncoder().encode(file.ClusterKey);
  if (file.ClusterKeyFile === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(file.ClusterKeyFile, 'utf8').trim();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`Cannot read ClusterKeyFile "${file.ClusterKeyFile}": ${reason}`, { cause: error });
  }
  const key = new TextEncoder().encode(text);
  if (key.length < clusterKeyBytesMin) {
    throw new ConfigError(
      `Cannot use ClusterKeyFile "${file.ClusterKeyFile}": it has ${key.length} bytes, expected at least ${clusterKeyBytesMin}`,
    );
  }
  return key;
}

/** Drops the undefined properties, so that they do not hide defaults. */
function defined<T extends object>(values: T): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Name in keyof T]?: Exclude<T[Name], undefined>;
  };
}

function camelCased(section: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const entries = Object.entries(section).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [key.charAt(0).toLowerCase() + key.slice(1), value]));
}

/** Escaping a key for the tree can double it, and LMDB takes 1978 bytes with what surrounds it. */
const keyBytesCeiling = 980;
/** What a frame or a batch holds besides its largest value. */
const envelopeBytes = 4096;
/** What an answer holds besides each key of a lease. */
const leasedKeyEnvelopeBytes = 64;
/** A segment is written full of zeros before it is used. */
const logSegmentBytesCeiling = 2 ** 30;
/** A timer that is set for longer goes off at once. */
const timerMsMax = 2 ** 31 - 1;
const timed = [
  'grpcSilenceMsMax',
  'handshakeTimeoutMs',
  'requestArrivalTimeoutMs',
  'requestTimeoutMsDefault',
  'requestTimeoutMsMax',
  'stateCopyTimeoutMs',
  'stateCopyStallMs',
] as const;

function limitProblemsOf(limits: Limits): string[] {
  const problems: string[] = [];
  const atLeast = (name: keyof Limits, least: number, why: string): void => {
    if (limits[name] < least)
      problems.push(`Limits.${pascalCase(name)} is ${limits[name]}: expected at least ${least}, ${why}`);
  };
  if (limits.keyBytesMax > keyBytesCeiling) {
    problems.push(
      `Limits.KeyBytesMax is ${limits.keyBytesMax}: expected at most ${keyBytesCeiling}, what the tree can store`,
    );
  }
  if (limits.logSegmentBytes > logSegmentBytesCeiling) {
    problems.push(
      `Limits.LogSegmentBytes is ${limits.logSegmentBytes}: expected at most ${logSegmentBytesCeiling}, which is written before it is used`,
    );
  }
  for (const name of timed) {
    if (limits[name] > timerMsMax)
      problems.push(`Limits.${pascalCase(name)} is ${limits[name]}: expected at most ${timerMsMax}, about 24 days`);
  }
  const record = limits.valueBytesMax + limits.keyBytesMax + envelopeBytes;
  atLeast('requestFrameBytesMax', record, 'the largest key and value with what surrounds them');
  atLeast('batchBytesMax', record, 'the largest key and value with what surrounds them');
  atLeast('rangeBytesMax', envelopeBytes, 'or no page makes progress');
  atLeast('transactionBytesMax', record, 'the largest key and value with what surrounds them');
  // A batch is cut before the command that would make it too large, and a transaction may come to more than it said.
  const batch = limits.batchBytesMax + limits.transactionBytesMax + envelopeBytes;
  atLeast('peerFrameBytesMax', batch, 'one batch with a transaction');
  atLeast('peerFrameBytesMax', limits.transactionAnswerBytesMax + envelopeBytes, 'the answer to one transaction');
  const leaseKeys = limits.leaseRevokeBytesMax + limits.leaseRevokeKeysMax * leasedKeyEnvelopeBytes + envelopeBytes;
  atLeast('peerFrameBytesMax', limits.keyBytesMax + leaseKeys, 'the answer with all keys of one lease');
  atLeast('peerQueueBytesMax', limits.peerFrameBytesMax, 'one frame');
  atLeast('forwardedBytesMax', limits.peerQueueLowBytes, 'or nobody would be told that there is room again');
  atLeast('clientQueueBytesMax', limits.requestFrameBytesMax, 'one frame');
  atLeast('clientArrivalBytesTotalMax', limits.requestFrameBytesMax + envelopeBytes, 'one frame');
  atLeast('clientArrivalBytesTotalMax', limits.httpBodyBytesMax, 'one body');
  atLeast('logSegmentBytes', batch, 'one batch with a transaction');
  atLeast('overlayBytesMax', limits.overlayFlushBytes, 'or nothing would be flushed before writes stop');
  return problems;
}

function timingProblemsOf(timing: TimingConfig): string[] {
  const problems: string[] = [];
  if (timing.syncLimitMs < 2 * timing.pingIntervalMs) {
    problems.push(
      `Timing.SyncLimitMs is ${timing.syncLimitMs}: expected at least twice PingIntervalMs (${timing.pingIntervalMs})`,
    );
  }
  if (timing.pingIntervalMs < timing.tickMs) {
    problems.push(`Timing.PingIntervalMs is ${timing.pingIntervalMs}: expected at least TickMs (${timing.tickMs})`);
  }
  if (timing.electionResendMaxMs < timing.electionResendMinMs) {
    problems.push(
      `Timing.ElectionResendMaxMs is ${timing.electionResendMaxMs}: expected at least ElectionResendMinMs (${timing.electionResendMinMs})`,
    );
  }
  return problems;
}
