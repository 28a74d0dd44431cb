// From etcd's flags to a configuration of zabtree, or to an error in etcd's words where it has some. Decides what a flag
// means here; reads no file and starts nothing.

import type { ConfigDocument } from '../../config/config-settings.js';
import { limits } from '../../config/limits.js';
import { type ClientListenerConfig, jwtSignMethods } from '../../config/node-config.js';
import { assert } from '../../shared/assert.js';
import { isTrue } from './etcd-arguments.js';
import { etcdFlags } from './etcd-flags.js';
import { peerTlsOf, peerUrls } from './etcd-peers.js';
import { bindable, EtcdValues, type Url, urlsOf, wrong } from './etcd-values.js';
import { parseGoDuration } from './go-duration.js';
import { refuseUrlCredentials } from './url-credentials.js';

export interface Translation {
  readonly document: ConfigDocument;
  /** What was given and has no meaning here, a line each. */
  readonly warnings: readonly string[];
}

/** etcd's own bounds. */
const electionTimeoutMsMax = 50_000;
const electionToHeartbeatMin = 5;
const hourMs = 3_600_000;
/** What surrounds the largest request in frames and batches. */
const envelopeBytes = 512 * 2 ** 10;
const levels: Readonly<Record<string, string>> = {
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  dpanic: 'error',
  panic: 'error',
  fatal: 'error',
};

export function translate(values: ReadonlyMap<string, string>): Translation {
  refuseUrlCredentials(values);
  const given = new EtcdValues(values);
  const warnings: string[] = [];
  for (const [name, value] of values) {
    const flag = etcdFlags[name];
    if (flag === undefined || flag.fate === 'used' || sameValue(value, flag.byDefault)) continue;
    const why = flag.why ?? '';
    if (flag.fate === 'refused') throw wrong(`--${name} is not supported: ${why}`);
    warnings.push(`--${name} has no effect: ${why}`);
  }
  const name = given.text('name');
  const clients = clientUrls(given);
  const peers = peerUrls(given, name);
  const document: ConfigDocument = {
    EnsembleName: given.text('initial-cluster-token'),
    DataDir: given.text('data-dir') === '' ? `${name}.etcd` : given.text('data-dir'),
    Host: {
      Name: name,
      ElectionAddr: peers.advertised,
      MessageAddr: peers.advertised,
      RequestAddr: clients.advertised,
      ListenElectionAddr: peers.listen,
      ListenMessageAddr: peers.listen,
      ListenRequestAddr: clients.first.address,
      FurtherListeners: clients.further.map(({ address, tls, serves }) => ({
        Addr: address,
        Tls: tls,
        Serves: serves,
      })),
    },
    Peer: peers.others.map((other) => ({ Name: other.name, ElectionAddr: other.address, MessageAddr: other.address })),
    Timing: timingOf(given),
    Limits: limitsOf(given),
    LogLevel: levelOf(given),
    LogFormat: given.has('log-format') && given.text('log-format') === 'json' ? 'json' : 'text',
  };
  const peerTls = peerTlsOf(given, peers.secure);
  if (peerTls !== undefined) document['PeerTls'] = peerTls;
  const tls = tlsOf(given, clients.secure);
  if (tls !== undefined) document['ClientTls'] = { ...tls, AllowPlain: clients.first.tls !== 'required' };
  const jwt = jwtTokensOf(given, warnings);
  if (jwt !== undefined) document['JwtTokens'] = jwt;
  const compaction = autoCompactionOf(given);
  if (compaction !== undefined) document['AutoCompaction'] = compaction;
  const state = given.text('initial-cluster-state');
  if (state !== 'new' && state !== 'existing')
    throw wrong(`invalid value "${state}" for flag -initial-cluster-state: invalid value`, 2);
  return { document, warnings };
}

interface ClientUrls {
  readonly first: ClientListenerConfig;
  readonly further: readonly ClientListenerConfig[];
  readonly advertised: string;
  /** Some listener takes TLS. */
  readonly secure: boolean;
}

function clientUrls(given: EtcdValues): ClientUrls {
  if (given.has('listen-client-urls') && !given.has('advertise-client-urls'))
    throw wrong('--advertise-client-urls is required when --listen-client-urls is set explicitly');
  const listen = urlsOf('listen-client-urls', given.text('listen-client-urls'));
  const advertised = urlsOf('advertise-client-urls', given.text('advertise-client-urls'));
  const metrics = given.text('listen-metrics-urls');
  const doors = doorsOf(listen, 'clients');
  const monitors = metrics === '' ? [] : doorsOf(urlsOf('listen-metrics-urls', metrics), 'monitors');
  // With TLS, where there is some: what is told to clients is that.
  const first = doors.find(({ tls }) => tls !== 'none') ?? doors[0];
  assert(first !== undefined, 'A list of URLs has one at least');
  const scheme = first.tls === 'none' ? 'http' : 'https';
  const further = [...doors.filter((door) => door !== first), ...monitors];
  return {
    first,
    further,
    advertised: (advertised.find((url) => url.scheme === scheme) ?? advertised[0])?.address ?? '',
    secure: [first, ...further].some(({ tls }) => tls !== 'none'),
  };
}

/** An address that is there as http and as https takes both, as in etcd. */
function doorsOf(urls: readonly Url[], serves: ClientListenerConfig['serves']): readonly ClientListenerConfig[] {
  const schemes = new Map<string, Set<string>>();
  for (const url of urls) {
    const address = bindable(url);
    schemes.set(address, (schemes.get(address) ?? new Set()).add(url.scheme));
  }
  return [...schemes].map(([address, of]) => ({
    address,
    tls: of.size > 1 ? 'allowed' : of.has('https') ? 'required' : 'none',
    serves,
  }));
}

function timingOf(given: EtcdValues): ConfigDocument {
  const heartbeat = given.number('heartbeat-interval');
  const election = given.number('election-timeout');
  if (heartbeat <= 0) throw wrong(`--heartbeat-interval must be >0 (set to ${heartbeat}ms)`);
  if (election <= 0) throw wrong(`--election-timeout must be >0 (set to ${election}ms)`);
  if (electionToHeartbeatMin * heartbeat > election) {
    throw wrong(
      `--election-timeout[${election}ms] should be at least as 5 times as --heartbeat-interval[${heartbeat}ms]`,
    );
  }
  if (election > electionTimeoutMsMax)
    throw wrong(`--election-timeout[${election}ms] is too long, and should be set less than ${electionTimeoutMsMax}ms`);
  return {
    ...(given.has('heartbeat-interval') ? { PingIntervalMs: heartbeat } : {}),
    ...(given.has('election-timeout') ? { SyncLimitMs: election } : {}),
  };
}

function limitsOf(given: EtcdValues): ConfigDocument {
  const document: ConfigDocument = {};
  const quota = given.number('quota-backend-bytes');
  // Less than nothing: none.
  if (quota !== 0) document['QuotaBytes'] = quota < 0 ? Number.MAX_SAFE_INTEGER : quota;
  if (given.has('max-txn-ops')) document['TransactionOperationsMax'] = given.number('max-txn-ops');
  if (given.has('auth-token-ttl')) document['AccessTokenTtlMs'] = given.number('auth-token-ttl') * 1_000;
  if (given.has('max-request-bytes')) {
    const bytes = given.number('max-request-bytes');
    if (bytes <= 0) throw wrong(`--max-request-bytes must be >0 (set to ${bytes})`);
    Object.assign(document, requestLimits(bytes));
  }
  return document;
}

/** What has to grow with the largest request, or may shrink with it. */
function requestLimits(bytes: number): ConfigDocument {
  const frame = bytes + envelopeBytes;
  const batch = Math.max(limits.batchBytesMax, frame);
  const transaction = Math.max(limits.transactionBytesMax, frame);
  const answer = Math.max(limits.transactionAnswerBytesMax, frame);
  const record = batch + transaction + envelopeBytes;
  const peerFrame = Math.max(limits.peerFrameBytesMax, record, answer + envelopeBytes);
  return {
    ValueBytesMax: bytes,
    TransactionBytesMax: transaction,
    TransactionAnswerBytesMax: answer,
    RequestFrameBytesMax: Math.max(limits.requestFrameBytesMax, frame),
    BatchBytesMax: batch,
    PeerFrameBytesMax: peerFrame,
    PeerQueueBytesMax: Math.max(limits.peerQueueBytesMax, peerFrame),
    ClientQueueBytesMax: Math.max(limits.clientQueueBytesMax, frame),
    ClientArrivalBytesTotalMax: Math.max(limits.clientArrivalBytesTotalMax, frame + envelopeBytes),
    LogSegmentBytes: Math.max(limits.logSegmentBytes, record),
  };
}

const jwtOptions: Readonly<Record<string, string>> = {
  'sign-method': 'SignMethod',
  'pub-key': 'PublicKeyFile',
  'priv-key': 'PrivateKeyFile',
  ttl: 'TtlMs',
};

/** Undefined: tokens are not to be JWT. */
function jwtTokensOf(given: EtcdValues, warnings: string[]): ConfigDocument | undefined {
  const [type, ...options] = given.text('auth-token').split(',');
  if (type === 'simple' && options.length === 0) return undefined;
  const document: ConfigDocument = {};
  for (const option of options) {
    const [, name = '', value = ''] = /^([^=]*)=([^=]*)$/.exec(option) ?? [];
    const key = Object.hasOwn(jwtOptions, name) ? jwtOptions[name] : undefined;
    if (type !== 'jwt' || name === '' || (key !== undefined && key in document)) throw wrong(invalidAuth);
    if (key === undefined) warnings.push(`--auth-token has an unknown option of JWT: ${name}`);
    else if (value !== '') document[key] = key === 'TtlMs' ? ttlMsOf(value) : value;
  }
  if (type !== 'jwt') throw wrong(invalidAuth);
  const { SignMethod: method, PublicKeyFile: publicKey, PrivateKeyFile: privateKey } = document;
  if (!jwtSignMethods.some((known) => known === method)) throw wrong('auth: invalid auth signature method');
  if (publicKey === undefined && privateKey === undefined) throw wrong('auth: missing key data');
  return document;
}

const invalidAuth = 'auth: invalid auth options';

function ttlMsOf(value: string): number {
  const milliseconds = parseGoDuration(value);
  if (milliseconds === undefined || milliseconds <= 0) throw wrong(`auth: invalid duration "${value}" of ttl`);
  return Math.ceil(milliseconds);
}

/** Undefined: none is wanted. */
function autoCompactionOf(given: EtcdValues): ConfigDocument | undefined {
  const mode = given.text('auto-compaction-mode');
  const retention = given.text('auto-compaction-retention');
  if (mode !== 'periodic' && mode !== 'revision') throw wrong(`unknown auto-compaction-mode "${mode}"`);
  const whole = /^\d+$/.test(retention) ? Number(retention) : undefined;
  if (whole === 0) return undefined;
  if (mode === 'revision') {
    if (whole !== undefined && Number.isSafeInteger(whole)) return { RevisionsKept: whole };
    throw wrong(`--auto-compaction-retention "${retention}" is no number of revisions to keep`);
  }
  const periodMs = whole === undefined ? parseGoDuration(retention) : whole * hourMs;
  if (periodMs === undefined || periodMs < 0 || !Number.isSafeInteger(Math.ceil(periodMs)))
    throw wrong(`error parsing CompactionRetention: invalid duration "${retention}"`);
  return periodMs === 0 ? undefined : { PeriodMs: Math.ceil(periodMs) };
}

function levelOf(given: EtcdValues): string {
  if (isTrue(given.text('debug'))) return 'debug';
  const level = levels[given.text('log-level')];
  if (level === undefined) throw wrong(`unrecognized level: "${given.text('log-level')}"`);
  return level;
}

function tlsOf(given: EtcdValues, secure: boolean): ConfigDocument | undefined {
  const files = { CertFile: 'cert-file', KeyFile: 'key-file', TrustedCaFile: 'trusted-ca-file' };
  const document: ConfigDocument = {};
  for (const [key, flag] of Object.entries(files)) if (given.text(flag) !== '') document[key] = given.text(flag);
  // In etcd an authority alone makes clients need a certificate, whatever the flag for that says.
  if (isTrue(given.text('client-cert-auth')) || document['TrustedCaFile'] !== undefined)
    document['ClientCertAuth'] = true;
  if (secure) {
    if (document['CertFile'] === undefined || document['KeyFile'] === undefined)
      throw wrong('KeyFile and CertFile must both be present: a URL for clients or metrics has https');
    return document;
  }
  // As etcd does: a scheme of http means no TLS, whatever the files say.
  return undefined;
}

/** Truths can be written in several ways, and durations and defaults too. */
function sameValue(value: string, byDefault: string): boolean {
  return value === byDefault || (byDefault === 'false' && !isTrue(value)) || (byDefault === 'true' && isTrue(value));
}
