// From etcd's flags to a configuration of zabtree, or to an error in etcd's words where it has some. Decides what a flag
// means here; reads no file and starts nothing.

import type { ConfigDocument } from '../../config/config-settings.js';
import { limits } from '../../config/limits.js';
import { type ClientListenerConfig, jwtSignMethods } from '../../config/node-config.js';
import { parseAddress } from '../../shared/address.js';
import { assert } from '../../shared/assert.js';
import { EtcdUsageError, isTrue } from './etcd-arguments.js';
import { etcdFlags } from './etcd-flags.js';
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
  const given = new Given(values);
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

/** The values, with etcd's defaults behind them. */
class Given {
  private readonly values: ReadonlyMap<string, string>;

  constructor(values: ReadonlyMap<string, string>) {
    this.values = values;
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  text(name: string): string {
    return this.values.get(name) ?? etcdFlags[name]?.byDefault ?? '';
  }

  number(name: string): number {
    const text = this.text(name);
    const value = Number(text);
    if (/^-?\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    throw wrong(`invalid value "${text}" for flag -${name}: parse error`, 2);
  }
}

interface ClientUrls {
  readonly first: ClientListenerConfig;
  readonly further: readonly ClientListenerConfig[];
  readonly advertised: string;
  /** Some listener takes TLS. */
  readonly secure: boolean;
}

function clientUrls(given: Given): ClientUrls {
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

interface PeerUrls {
  readonly listen: string;
  readonly advertised: string;
  readonly others: readonly { readonly name: string; readonly address: string }[];
}

function peerUrls(given: Given, name: string): PeerUrls {
  const own = urlsOf('initial-advertise-peer-urls', given.text('initial-advertise-peer-urls'));
  const listen = urlsOf('listen-peer-urls', given.text('listen-peer-urls'));
  const cluster = given.text('initial-cluster');
  const members = new Map<string, readonly Url[]>();
  for (const part of cluster === '' ? [] : cluster.split(',')) {
    const equals = part.indexOf('=');
    if (equals <= 0) throw wrong(`--initial-cluster has "${part}", expected name=url`);
    const memberName = part.slice(0, equals).trim();
    const [url] = urlsOf('initial-cluster', part.slice(equals + 1));
    if (url !== undefined) members.set(memberName, [...(members.get(memberName) ?? []), url]);
  }
  if (cluster === '') members.set(name, own);
  const self = members.get(name);
  if (self === undefined) throw wrong(`couldn't find local name "${name}" in the initial cluster configuration`);
  for (const [flag, urls] of [
    ['initial-cluster', self],
    ['initial-advertise-peer-urls', own],
    ['listen-peer-urls', listen],
  ] as const) {
    if (urls.length !== 1)
      throw wrong(`--${flag} names ${urls.length} URLs of this member, expected one: members speak over one address`);
    if (urls[0]?.scheme === 'https') throw wrong(`--${flag} has https: members do not speak TLS with each other`);
  }
  const advertised = self[0]?.address ?? '';
  if (own[0]?.address !== advertised) {
    const text = '--initial-cluster has a URL of this member that is missing from --initial-advertise-peer-urls';
    throw wrong(`${text}: http://${advertised} and http://${own[0]?.address}`);
  }
  const others = [...members].filter(([memberName]) => memberName !== name);
  for (const [memberName, urls] of others) {
    if (urls.length !== 1) throw wrong(`--initial-cluster names ${urls.length} URLs of "${memberName}", expected one`);
    if (urls[0]?.scheme === 'https')
      throw wrong('--initial-cluster has https: members do not speak TLS with each other');
  }
  return {
    listen: listen.map(bindable)[0] ?? '',
    advertised,
    others: others.flatMap(([memberName, urls]) => urls.map(({ address }) => ({ name: memberName, address }))),
  };
}

interface Url {
  readonly scheme: string;
  /** host:port */
  readonly address: string;
}

/** As etcd reads lists of URLs. */
function urlsOf(flag: string, text: string): readonly Url[] {
  return text.split(',').map((part) => {
    const url = part.trim();
    const [, scheme = '', address = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)(.*)$/.exec(url) ?? [];
    const bad = (reason: string): EtcdUsageError => wrong(`invalid value "${text}" for flag -${flag}: ${reason}`, 2);
    if (scheme === 'unix' || scheme === 'unixs') throw bad(`sockets of the file system are not supported: ${url}`);
    if (scheme !== 'http' && scheme !== 'https') throw bad(`URL scheme must be http, https, unix, or unixs: ${url}`);
    if (path !== '' && path !== '/') throw bad(`URL must not contain a path: ${url}`);
    const parsed = parseAddress(address);
    if (typeof parsed === 'string' || parsed.port === 0)
      throw bad(`URL address does not have the form "host:port": ${url}`);
    return { scheme, address };
  });
}

/** etcd binds numbers only, and takes "localhost" for one. */
function bindable({ address }: Url): string {
  return address.replace(/^localhost:/, '127.0.0.1:');
}

function timingOf(given: Given): ConfigDocument {
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

function limitsOf(given: Given): ConfigDocument {
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
function jwtTokensOf(given: Given, warnings: string[]): ConfigDocument | undefined {
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
function autoCompactionOf(given: Given): ConfigDocument | undefined {
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

function levelOf(given: Given): string {
  if (isTrue(given.text('debug'))) return 'debug';
  const level = levels[given.text('log-level')];
  if (level === undefined) throw wrong(`unrecognized level: "${given.text('log-level')}"`);
  return level;
}

function tlsOf(given: Given, secure: boolean): ConfigDocument | undefined {
  const files = { CertFile: 'cert-file', KeyFile: 'key-file', TrustedCaFile: 'trusted-ca-file' };
  const document: ConfigDocument = {};
  for (const [key, flag] of Object.entries(files)) if (given.text(flag) !== '') document[key] = given.text(flag);
  if (isTrue(given.text('client-cert-auth'))) document['ClientCertAuth'] = true;
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

function wrong(message: string, exitCode = 1): EtcdUsageError {
  return new EtcdUsageError(message, exitCode);
}
