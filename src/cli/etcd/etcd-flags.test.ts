import { describe, expect, it } from 'vitest';
import { loadNodeConfig } from '../../config/load-node-config.js';
import type { NodeConfig } from '../../config/node-config.js';
import { type EtcdUsageError, readEtcdArguments } from './etcd-arguments.js';
import { etcdFlags } from './etcd-flags.js';
import { translate } from './etcd-translation.js';

function configOf(words: readonly string[], environment: NodeJS.ProcessEnv = {}): NodeConfig {
  const { values } = readEtcdArguments(words, environment);
  return loadNodeConfig({ document: translate(values).document, environment: {} });
}

function warningsOf(words: readonly string[], environment: NodeJS.ProcessEnv = {}): readonly string[] {
  const { values, warnings } = readEtcdArguments(words, environment);
  return [...warnings, ...translate(values).warnings];
}

function errorOf(words: readonly string[], environment: NodeJS.ProcessEnv = {}): string {
  try {
    configOf(words, environment);
  } catch (error) {
    return `${(error as EtcdUsageError).exitCode ?? 'config'} ${(error as Error).message}`;
  }
  return 'none';
}

const three = 'a=http://10.0.0.1:2380,b=http://10.0.0.2:2380,c=http://10.0.0.3:2380';
const memberB = [
  ...['--name', 'b', '--initial-cluster', three, '--initial-cluster-token=tkn', '-initial-cluster-state', 'existing'],
  ...['--listen-peer-urls', 'http://0.0.0.0:2380', '--initial-advertise-peer-urls', 'http://10.0.0.2:2380'],
  ...['--listen-client-urls', 'http://0.0.0.0:2379', '--advertise-client-urls', 'http://10.0.0.2:2379'],
];

const peerFiles = ['--peer-cert-file=c', '--peer-key-file=k', '--peer-trusted-ca-file=a'];
const securePeers = [
  ...['--name=b', `--initial-cluster=${three.replaceAll('http:', 'https:')}`],
  ...['--listen-peer-urls=https://0.0.0.0:2380', '--initial-advertise-peer-urls=https://10.0.0.2:2380'],
];
const mixedMembers = three.replaceAll('http:', 'https:').replace('c=https:', 'c=http:');

describe("etcd's flags", () => {
  it('without any are those of a single node on loopback', () => {
    expect(configOf([])).toMatchObject({
      ensembleName: 'etcd-cluster',
      dataDir: 'default.etcd',
      requestAddr: 'localhost:2379',
      self: { electionAddr: 'localhost:2380', messageAddr: 'localhost:2380' },
      listen: { election: '127.0.0.1:2380', message: '127.0.0.1:2380', request: '127.0.0.1:2379' },
      members: [{}],
      logLevel: 'info',
    });
  });

  it('name the members, what is bound and what is told to others', () => {
    const config = configOf(memberB);
    expect(config).toMatchObject({
      ensembleName: 'tkn',
      dataDir: 'b.etcd',
      requestAddr: '10.0.0.2:2379',
      self: { electionAddr: '10.0.0.2:2380', messageAddr: '10.0.0.2:2380' },
      listen: { election: '0.0.0.0:2380', message: '0.0.0.0:2380', request: '0.0.0.0:2379' },
    });
    expect(config.members.map(({ name, messageAddr }) => `${name} ${messageAddr}`).sort()).toEqual([
      'a 10.0.0.1:2380',
      'b 10.0.0.2:2380',
      'c 10.0.0.3:2380',
    ]);
  });

  it('name several addresses for clients, with TLS and without, and for metrics', () => {
    const certificate = ['--cert-file=c', '--key-file=k'];
    const config = configOf([
      ...['--listen-client-urls', 'http://127.0.0.1:1,https://10.0.0.1:2,http://10.0.0.1:3,https://10.0.0.1:3'],
      ...['--advertise-client-urls', 'http://10.0.0.1:3,https://10.0.0.1:2', ...certificate],
      ...['--listen-metrics-urls', 'http://localhost:4,https://10.0.0.1:5'],
    ]);
    expect(config.requestAddr).toBe('10.0.0.1:2');
    expect(config.listen.request).toBe('10.0.0.1:2');
    expect(config.clientTls?.allowPlain).toBe(false);
    expect(config.furtherListeners).toEqual([
      { address: '127.0.0.1:1', tls: 'none', serves: 'clients' },
      { address: '10.0.0.1:3', tls: 'allowed', serves: 'clients' },
      { address: '127.0.0.1:4', tls: 'none', serves: 'monitors' },
      { address: '10.0.0.1:5', tls: 'required', serves: 'monitors' },
    ]);
    const both = ['--listen-client-urls=https://h:1,http://h:1', '--advertise-client-urls=https://h:1'];
    expect(configOf([...both, ...certificate])).toMatchObject({
      furtherListeners: [],
      clientTls: { allowPlain: true },
    });
    expect(configOf(['--listen-metrics-urls=http://h:1']).clientTls).toBeUndefined();
    expect(errorOf(['--listen-metrics-urls=https://h:1'])).toContain('KeyFile and CertFile must both be present');
    expect(errorOf(['--listen-metrics-urls=http://localhost:2379'])).toContain('repeats the address');
  });

  it('ask clients for a certificate by an authority alone, as etcd does', () => {
    const secure = ['--listen-client-urls=https://h:1', '--advertise-client-urls=https://h:1'];
    const words = [...secure, '--cert-file=c', '--key-file=k'];
    expect(configOf(words).clientTls?.clientCertAuth).toBe(false);
    for (const more of [[], ['--client-cert-auth'], ['--client-cert-auth=false']])
      expect(configOf([...words, '--trusted-ca-file=a', ...more]).clientTls?.clientCertAuth).toBe(true);
  });

  it('give TLS between members', () => {
    const config = configOf([...securePeers, ...peerFiles, '--peer-client-cert-auth', '--peer-cert-allowed-cn=n']);
    expect(config.members).toEqual(configOf(memberB.filter((word) => !word.includes('token'))).members);
    const files = { certFile: 'c', keyFile: 'k', trustedCaFile: 'a' };
    expect(config.peerTls).toEqual({ ...files, allowedCommonName: 'n', allowedHostname: undefined });
    const environment = { ETCD_PEER_CERT_FILE: 'c', ETCD_PEER_KEY_FILE: 'k', ETCD_PEER_TRUSTED_CA_FILE: 'a' };
    expect(configOf([...securePeers, '--peer-cert-allowed-hostname=h'], environment).peerTls).toEqual({
      ...files,
      allowedCommonName: undefined,
      allowedHostname: 'h',
    });
  });

  it('give every member of a cluster the same members', () => {
    const members = ['a', 'b', 'c'].map((name, index) => {
      const url = `http://10.0.0.${index + 1}:2380`;
      return configOf(['--name', name, '--initial-cluster', three, '--initial-advertise-peer-urls', url]).members;
    });
    expect(members[1]).toEqual(members[0]);
    expect(members[2]).toEqual(members[0]);
  });

  it('come from the environment where the command line does not have them', () => {
    const environment = { ETCD_NAME: 'x', ETCD_DATA_DIR: '/d', ETCD_DEBUG: 'true', ETCDCTL_API: '3', PATH: '/bin' };
    expect(configOf([], environment)).toMatchObject({ dataDir: '/d', logLevel: 'debug' });
    expect(errorOf(['--name', 'y'], environment)).toMatch(/^1 conflicting environment variable ETCD_NAME is shadowed/);
    expect(warningsOf([], { ETCD_NOTHING: '1', ETCD_UNSUPPORTED_ARCH: 'arm64' })).toEqual([
      'unrecognized environment variable ETCD_NOTHING',
    ]);
  });

  it('set timing and limits', () => {
    const config = configOf([
      ...['--heartbeat-interval=150', '--election-timeout', '1500', '--quota-backend-bytes', '8589934592'],
      ...['--max-txn-ops=512', '--max-request-bytes', '10485760', '--auth-token-ttl', '60', '--log-level', 'warn'],
    ]);
    expect(config.timing).toMatchObject({ pingIntervalMs: 150, syncLimitMs: 1500 });
    expect(config.limits).toMatchObject({
      quotaBytes: 8_589_934_592,
      transactionOperationsMax: 512,
      valueBytesMax: 10_485_760,
      accessTokenTtlMs: 60_000,
    });
    expect(config.limits.requestFrameBytesMax).toBeGreaterThan(10_485_760);
    expect(config.logLevel).toBe('warn');
  });

  it.each<readonly [string, string, unknown]>([
    ['periodic', '0', undefined],
    ['periodic', '0s', undefined],
    ['periodic', '1', { type: 'period', periodMs: 3_600_000 }],
    ['periodic', '90m', { type: 'period', periodMs: 5_400_000 }],
    ['periodic', '10us', { type: 'period', periodMs: 1 }],
    ['revision', '0', undefined],
    ['revision', '1000', { type: 'revisions', revisionsKept: 1_000 }],
  ])('--auto-compaction-mode %s with --auto-compaction-retention %s', (mode, retention, expected) => {
    const words = ['--auto-compaction-mode', mode, `--auto-compaction-retention=${retention}`];
    expect(configOf(words).autoCompaction).toEqual(expected);
    if (mode === 'periodic') expect(configOf(words.slice(2)).autoCompaction).toEqual(expected);
  });

  it('name the keys of JWT', () => {
    const words = ['--auth-token', 'jwt,pub-key=app.pub,priv-key=app.key,sign-method=RS512,ttl=10m,extra=1'];
    expect(configOf(words).jwtTokens).toEqual({
      signMethod: 'RS512',
      publicKeyFile: 'app.pub',
      privateKeyFile: 'app.key',
      ttlMs: 600_000,
    });
    expect(warningsOf(words)).toEqual(['--auth-token has an unknown option of JWT: extra']);
    expect(configOf(['--auth-token=jwt,pub-key=a,sign-method=ES256']).jwtTokens?.ttlMs).toBe(300_000);
    expect(configOf([]).jwtTokens).toBeUndefined();
  });

  it.each(['1', '4194304', '104857600'])('--max-request-bytes %s leaves limits that fit each other', (bytes) => {
    expect(configOf(['--max-request-bytes', bytes]).limits.valueBytesMax).toBe(Number(bytes));
  });

  it('without meaning here bring one line each, and none with their defaults', () => {
    expect(warningsOf(['--snapshot-count', '10000', '--enable-v2', '--pre-vote=false', '--cors=*'])).toEqual([
      '--snapshot-count has no effect: the log has its own way to stay small',
      '--enable-v2 has no effect: there is no API of version 2',
      '--pre-vote has no effect: a member that comes back deposes nobody',
    ]);
    const defaults = Object.entries(etcdFlags).flatMap(([name, { byDefault }]) =>
      name === 'advertise-client-urls' || byDefault === '' ? [] : [`--${name}=${byDefault}`],
    );
    expect(warningsOf([...defaults, '--advertise-client-urls=http://localhost:2379'])).toEqual([]);
  });

  it('count as they say where nothing is given', () => {
    for (const [name, { kind, fate, byDefault, countsHere = byDefault }] of Object.entries(etcdFlags)) {
      if (fate !== 'used' || kind !== 'text' || countsHere === '') continue;
      const needed = name === 'listen-client-urls' ? ['--advertise-client-urls=http://localhost:2379'] : [];
      expect(configOf([`--${name}=${countsHere}`, ...needed]), name).toEqual(configOf([]));
    }
  });

  it.each<readonly [string, readonly string[]]>([
    ['2 flag provided but not defined: -foo', ['--foo', 'x']],
    ['2 flag provided but not defined: -data-dri; did you mean -data-dir?', ['--data-dri=x']],
    ['2 flag provided but not defined: -constructor', ['--constructor']],
    ['2 flag needs an argument: -name', ['--name']],
    ['2 bad flag syntax: ---name', ['---name', 'x']],
    ["1 'join' is not a valid flag", ['join']],
    ['2 invalid boolean value "maybe" for -debug: parse error', ['--debug=maybe']],
    ['2 invalid value "x" for flag -max-txn-ops: parse error', ['--max-txn-ops', 'x']],
    ['2 invalid value "later" for flag -initial-cluster-state: invalid value', ['--initial-cluster-state', 'later']],
    [
      '2 invalid value "localhost:1" for flag -listen-peer-urls: URL scheme must be',
      ['--listen-peer-urls=localhost:1'],
    ],
    ['2 invalid value "http://h" for flag -listen-peer-urls: URL address does not', ['--listen-peer-urls=http://h']],
    ['2 invalid value "http://h:1/p" for flag -listen-peer-urls: URL must not', ['--listen-peer-urls=http://h:1/p']],
    ['1 --advertise-client-urls is required when --listen-client-urls', ['--listen-client-urls=http://127.0.0.1:1']],
    [`1 couldn't find local name "x" in the initial cluster configuration`, ['--name=x', `--initial-cluster=${three}`]],
    ['1 --initial-cluster has a URL of this member that is missing', ['--name=a', `--initial-cluster=${three}`]],
    ['1 --election-timeout[400ms] should be at least as 5 times', ['--election-timeout=400']],
    ['1 --election-timeout[60000ms] is too long', ['--election-timeout=60000']],
    ['1 auth: invalid auth signature method', ['--auth-token=jwt']],
    ['1 auth: invalid auth signature method', ['--auth-token=jwt,pub-key=a,sign-method=RS1']],
    ['1 auth: missing key data', ['--auth-token=jwt,sign-method=RS256']],
    ['1 auth: invalid auth options', ['--auth-token=jwt,sign-method']],
    ['1 auth: invalid auth options', ['--auth-token=jwt,pub-key=a,pub-key=b,sign-method=RS256']],
    ['1 auth: invalid auth options', ['--auth-token=oauth']],
    ['1 auth: invalid auth options', ['--auth-token=simple,ttl=1m']],
    ['1 auth: invalid duration "5" of ttl', ['--auth-token=jwt,priv-key=a,sign-method=HS256,ttl=5']],
    ['1 unknown auto-compaction-mode "never"', ['--auto-compaction-mode=never']],
    ['1 error parsing CompactionRetention: invalid duration "1d"', ['--auto-compaction-retention=1d']],
    ['1 error parsing CompactionRetention', ['--auto-compaction-retention=-1h']],
    [
      '1 --auto-compaction-retention "1h" is no number of revisions',
      ['--auto-compaction-mode=revision', '--auto-compaction-retention=1h'],
    ],
    ['1 --discovery is not supported: members are named by', ['--discovery=http://x']],
    ['1 --peer-auto-tls is not supported: give --peer-cert-file', ['--peer-auto-tls']],
    ['1 --peer-cert-file is given, and the URLs for members have http', ['--peer-cert-file=x']],
    ['1 --peer-client-cert-auth is given, and the URLs for members have http', ['--peer-client-cert-auth']],
    ['1 --initial-cluster has a URL of this member', ['--initial-cluster=default=https://localhost:2380']],
    ['1 URLs for members have http and https', [...securePeers, '--listen-peer-urls=http://10.0.0.2:2380']],
    ['1 URLs for members have http and https', [...securePeers, `--initial-cluster=${mixedMembers}`]],
    ['1 PeerKeyFile and PeerCertFile must both be present', securePeers],
    ['1 PeerKeyFile and PeerCertFile must both be present', [...securePeers, '--peer-cert-file=c']],
    ['1 --peer-trusted-ca-file is missing', [...securePeers, '--peer-cert-file=c', '--peer-key-file=k']],
    [
      '1 AllowedCN and AllowedHostname are mutually exclusive',
      [...securePeers, ...peerFiles, '--peer-cert-allowed-cn=n', '--peer-cert-allowed-hostname=h'],
    ],
    ['1 unrecognized level: "loud"', ['--log-level=loud']],
  ])('are refused in the words of etcd: %s', (expected, words) => {
    expect(errorOf(words).slice(0, expected.length)).toBe(expected);
  });

  it.each([
    ['--listen-client-urls=http://admin:secret@h:1'],
    ['--listen-peer-urls=http://h:1,http://admin:se,cret@h:2'],
    ['--initial-cluster=default=http://admin:secret@h:1'],
    ['--initial-cluster=default=http://admin:se,cret@h:1'],
    ['--metrics', 'basic', 'http://admin:secret@h:1'],
    ['---admin:secret@h:1'],
    ['--admin:secret@h:1'],
    ['--debug=admin:secret@h:1'],
  ])('never repeat what stands before an @: %s', (...words) => {
    expect(errorOf(words)).toMatch(/^[12] .*…@h:\d\b/);
    expect(errorOf(words)).not.toMatch(/admin|se,|cret/);
  });

  it('ask for the version or for help whatever else is there', () => {
    for (const words of [['--version'], ['-version'], ['--name', 'x', '--version']])
      expect(readEtcdArguments(words, {}).wants).toBe('version');
    expect(readEtcdArguments(['--help'], {}).wants).toBe('help');
  });
});
