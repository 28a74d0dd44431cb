// What the loader accepts (gometa's file as it is, the layers in their order) and, as a table, how it refuses the rest.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from './config-error.js';
import { loadClientConfig } from './load-client-config.js';
import { loadNodeConfig } from './load-node-config.js';
import { membershipHash, serverIdOf } from './node-config.js';
import { effectiveDocument } from './print-config.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-config-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let files = 0;
function fileOf(content: unknown): string {
  const file = join(directory, `config-${++files}.json`);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

const host = { ElectionAddr: 'localhost:5001', MessageAddr: 'localhost:5002', RequestAddr: 'localhost:5003' };
const peers = [
  { ElectionAddr: 'localhost:5004', MessageAddr: 'localhost:5005' },
  { ElectionAddr: 'localhost:5007', MessageAddr: 'localhost:5008' },
];
const gometa = { Host: host, Peer: peers };

function refusalOf(content: unknown, environment: NodeJS.ProcessEnv = {}, flags: Record<string, string> = {}): string {
  try {
    loadNodeConfig({ file: fileOf(content), environment, flags });
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('expected a ConfigError');
}

describe('loadNodeConfig()', () => {
  it("takes gometa's file as it is", () => {
    const config = loadNodeConfig({ file: fileOf(gometa) });
    expect(config.self).toEqual({
      id: serverIdOf('zabtree', 'localhost:5002'),
      electionAddr: 'localhost:5001',
      messageAddr: 'localhost:5002',
    });
    expect(config.members).toHaveLength(3);
    expect(config.requestAddr).toBe('localhost:5003');
    expect(config.listen).toEqual({ election: 'localhost:5001', message: 'localhost:5002', request: 'localhost:5003' });
    expect(config.dataDir).toBe('./data');
    expect(config.bootstrap).toBe(false);
    expect(config.clusterKey).toBeUndefined();
  });

  it('takes TLS for clients from file, environment and flags, and prints it', () => {
    expect(loadNodeConfig({ file: fileOf(gometa) }).clientTls).toBeUndefined();
    const config = loadNodeConfig({
      file: fileOf({ ...gometa, ClientTls: { CertFile: 'a.pem', KeyFile: 'a.key' } }),
      environment: { ZABTREE_CLIENT_TRUSTED_CA_FILE: 'ca.pem', ZABTREE_CLIENT_CERT_AUTH: 'true' },
      flags: { 'client-key-file': 'b.key' },
    });
    expect(config.clientTls).toEqual({
      certFile: 'a.pem',
      keyFile: 'b.key',
      trustedCaFile: 'ca.pem',
      clientCertAuth: true,
      allowPlain: false,
    });
    expect(effectiveDocument(config)['ClientTls']).toEqual({
      CertFile: 'a.pem',
      KeyFile: 'b.key',
      TrustedCaFile: 'ca.pem',
      ClientCertAuth: true,
      AllowPlain: false,
    });
  });

  it('takes TLS between members from file, environment and flags, and prints it', () => {
    expect(loadNodeConfig({ file: fileOf(gometa) }).peerTls).toBeUndefined();
    const config = loadNodeConfig({
      file: fileOf({ ...gometa, PeerTls: { CertFile: 'a.pem', KeyFile: 'a.key' } }),
      environment: { ZABTREE_PEER_TRUSTED_CA_FILE: 'ca.pem' },
      flags: { 'peer-key-file': 'b.key', 'peer-cert-allowed-hostname': 'h' },
    });
    expect(config.peerTls).toEqual({
      certFile: 'a.pem',
      keyFile: 'b.key',
      trustedCaFile: 'ca.pem',
      allowedCommonName: undefined,
      allowedHostname: 'h',
    });
    const printed = { CertFile: 'a.pem', KeyFile: 'b.key', TrustedCaFile: 'ca.pem', AllowedHostname: 'h' };
    expect(effectiveDocument(config)['PeerTls']).toEqual(printed);
    const both = { ...printed, AllowedCommonName: 'n' };
    expect(refusalOf({ ...gometa, PeerTls: both })).toContain('are both given: expected one of them');
    expect(refusalOf({ ...gometa, PeerTls: { CertFile: 'a.pem', TrustedCaFile: 'ca.pem' } })).toContain(
      'PeerTls.KeyFile is missing',
    );
  });

  it('takes what is to be compacted from file and environment, and prints it', () => {
    const periodic = loadNodeConfig({
      file: fileOf(gometa),
      environment: { ZABTREE_AUTO_COMPACTION_PERIOD_MS: '60000' },
    });
    expect(periodic.autoCompaction).toEqual({ type: 'period', periodMs: 60_000 });
    expect(effectiveDocument(periodic)['AutoCompaction']).toEqual({ PeriodMs: 60_000 });
    const counting = fileOf({ ...gometa, AutoCompaction: { RevisionsKept: 7 } });
    expect(loadNodeConfig({ file: counting }).autoCompaction).toEqual({ type: 'revisions', revisionsKept: 7 });
    expect(loadNodeConfig({ file: fileOf({ ...gometa, AutoCompaction: {} }) }).autoCompaction).toBeUndefined();
    expect(refusalOf({ ...gometa, AutoCompaction: { RevisionsKept: 7, PeriodMs: 7 } })).toContain('are both given');
  });

  it('takes further addresses for clients, with TLS as the first one has it unless they say more', () => {
    const listeners = [{ Addr: 'a:1' }, { Addr: 'a:2', Tls: 'none', Serves: 'monitors' }];
    const file = { ...gometa, Host: { ...host, FurtherListeners: listeners } };
    const none = { address: 'a:2', tls: 'none', serves: 'monitors' };
    expect(loadNodeConfig({ file: fileOf(gometa) }).furtherListeners).toEqual([]);
    expect(loadNodeConfig({ file: fileOf(file) }).furtherListeners).toEqual([
      { address: 'a:1', tls: 'none', serves: 'clients' },
      none,
    ]);
    const secured = loadNodeConfig({ file: fileOf({ ...file, ClientTls: { CertFile: 'a', KeyFile: 'b' } }) });
    expect(secured.furtherListeners).toEqual([{ address: 'a:1', tls: 'required', serves: 'clients' }, none]);
    expect(effectiveDocument(secured)).toMatchObject({
      Host: { FurtherListeners: [{ Addr: 'a:1', Tls: 'required', Serves: 'clients' }, {}] },
    });
    const refused = (listener: object): string =>
      refusalOf({ ...gometa, Host: { ...host, FurtherListeners: [listener] } });
    expect(refused({ Addr: 'a:1', Tls: 'required' })).toContain(
      'FurtherListeners[0].Tls is "required": expected ClientTls',
    );
    const told = { ...host, ListenRequestAddr: '127.0.0.1:5003', FurtherListeners: [{ Addr: host.RequestAddr }] };
    expect(loadNodeConfig({ file: fileOf({ ...gometa, Host: told }) }).furtherListeners).toHaveLength(1);
    expect(refused({ Addr: 'localhost:5003' })).toContain('Host.FurtherListeners[0].Addr repeats the address');
    expect(refused({ Addr: 'a:1', Serves: 'all' })).toContain('expected one of "clients"|"monitors"');
  });

  it('takes the keys of JWT from file, environment and flags, and prints their paths', () => {
    const file = fileOf({ ...gometa, JwtTokens: { SignMethod: 'ES256', PublicKeyFile: 'a' } });
    const environment = { ZABTREE_JWT_TOKENS_TTL_MS: '1000' };
    const config = loadNodeConfig({ file, environment, flags: { 'jwt-private-key-file': 'b' } });
    const expected = { SignMethod: 'ES256', PublicKeyFile: 'a', PrivateKeyFile: 'b', TtlMs: 1_000 };
    expect(effectiveDocument(config)['JwtTokens']).toEqual(expected);
    expect(loadNodeConfig({ file }).jwtTokens?.ttlMs).toBe(300_000);
    expect(refusalOf({ ...gometa, JwtTokens: { PublicKeyFile: 'a' } })).toContain('JwtTokens.SignMethod is missing');
    expect(refusalOf({ ...gometa, JwtTokens: { SignMethod: 'ES256' } })).toContain(
      'JwtTokens.PrivateKeyFile is missing',
    );
  });

  it('accepts the host repeated among the peers and gives every member the same membership', () => {
    const repeated = loadNodeConfig({
      file: fileOf({
        Host: host,
        Peer: [{ ElectionAddr: host.ElectionAddr, MessageAddr: host.MessageAddr }, ...peers],
      }),
    });
    expect(repeated.members).toHaveLength(3);
    const [second, third] = peers;
    const other = loadNodeConfig({
      file: fileOf({
        Host: { ...second, RequestAddr: 'localhost:5006' },
        Peer: [{ ElectionAddr: host.ElectionAddr, MessageAddr: host.MessageAddr }, third],
      }),
    });
    expect(membershipHash(other.members)).toBe(membershipHash(repeated.members));
    expect(other.members).toEqual(repeated.members);
  });

  it('is one node on loopback without a file', () => {
    const config = loadNodeConfig({});
    expect(config.members).toEqual([config.self]);
    expect([config.self.electionAddr, config.self.messageAddr, config.requestAddr]).toEqual([
      '127.0.0.1:5001',
      '127.0.0.1:5002',
      '127.0.0.1:5003',
    ]);
  });

  it('lays flags over environment over file over defaults', () => {
    const file = fileOf({ ...gometa, DataDir: 'from-file', LogLevel: 'warn', Timing: { TickMs: 11 } });
    const environment = {
      ZABTREE_DATA_DIR: 'from-env',
      ZABTREE_TIMING_SYNC_LIMIT_MS: '3000',
      ZABTREE_LOG_FORMAT: 'json',
    };
    const config = loadNodeConfig({ file, environment, flags: { 'data-dir': 'from-flag' } });
    expect(config.dataDir).toBe('from-flag');
    expect(loadNodeConfig({ file, environment }).dataDir).toBe('from-env');
    expect(loadNodeConfig({ file }).dataDir).toBe('from-file');
    expect(config.logLevel).toBe('warn');
    expect(config.logFormat).toBe('json');
    expect(config.timing.tickMs).toBe(11);
    expect(config.timing.syncLimitMs).toBe(3000);
    expect(config.timing.pingIntervalMs).toBe(100);
  });

  it('ignores variables that only look like its own, such as those that Kubernetes sets for a service', () => {
    const environment = { ZABTREE_SERVICE_HOST: '10.0.0.1', ZABTREE_PORT: 'tcp://10.0.0.1:5003' };
    expect(loadNodeConfig({ file: fileOf(gometa), environment }).requestAddr).toBe('localhost:5003');
  });

  it('reads the key from a file and never prints it', () => {
    const key = fileOf('a secret of twenty bytes\n');
    const config = loadNodeConfig({ file: fileOf({ ...gometa, ClusterKeyFile: key }) });
    expect(new TextDecoder().decode(config.clusterKey)).toBe('a secret of twenty bytes');
    expect(JSON.stringify(effectiveDocument(config))).not.toContain('secret');
  });

  const address = 'expected host:port';
  it.each<[string, unknown, string]>([
    ['an unknown key', { ...gometa, DataDirectory: 'x' }, 'DataDirectory is not a known key: did you mean DataDir?'],
    ['a key in the wrong case', { ...gometa, peer: peers }, 'peer is not a known key: did you mean Peer?'],
    [
      'an unknown key inside',
      { Host: { ...host, RequestAdr: 'x:1' } },
      'Host.RequestAdr is not a known key: did you mean RequestAddr?',
    ],
    [
      'an unknown key of a peer',
      { ...gometa, Peer: [{ ...peers[0], Weight: 1 }] },
      'Peer[0].Weight is not a known key',
    ],
    [
      'an unknown limit',
      { ...gometa, Limits: { KeyByteMax: 1 } },
      'Limits.KeyByteMax is not a known key: did you mean KeyBytesMax?',
    ],
    ['no host', { Peer: peers }, 'Host is missing: expected an object with ElectionAddr, MessageAddr, RequestAddr'],
    ['no address', { Host: { ElectionAddr: 'a:1', MessageAddr: 'a:2' } }, 'Host.RequestAddr is missing'],
    ["a client's file", { Peer: [{ RequestAddr: 'a:1' }] }, "it is a client's configuration"],
    ['peers that are no list', { Host: host, Peer: {} }, 'Peer: expected array'],
    [
      'an address that is no text',
      { Host: { ...host, RequestAddr: 5003 } },
      'Host.RequestAddr: expected string, received number',
    ],
    [
      'an address without a port',
      { Host: { ...host, RequestAddr: 'localhost' } },
      `Host.RequestAddr: "localhost" has no port: ${address}`,
    ],
    [
      'an address without a host',
      { Host: { ...host, RequestAddr: ':5003' } },
      `Host.RequestAddr: ":5003" has no host: ${address}`,
    ],
    [
      'port 0',
      { Host: { ...host, RequestAddr: 'a:0' } },
      'Host.RequestAddr: "a:0" has a bad port: expected a number in 1..65535',
    ],
    ['a port too high', { Host: { ...host, RequestAddr: 'a:65536' } }, 'Host.RequestAddr: "a:65536" has a bad port'],
    [
      'a port that is no number',
      { Host: { ...host, RequestAddr: 'a:http' } },
      'Host.RequestAddr: "a:http" has a bad port',
    ],
    ['a bare IPv6 address', { Host: { ...host, RequestAddr: '::1:5003' } }, 'write an IPv6 address as [::1]:port'],
    [
      'a repeated address',
      { Host: host, Peer: [peers[0], { ElectionAddr: 'localhost:5004', MessageAddr: 'x:1' }] },
      'Peer[1].ElectionAddr repeats the address localhost:5004 of Peer[0].ElectionAddr',
    ],
    ['a repeated peer', { Host: host, Peer: [peers[0], peers[0]] }, 'Peer[1].ElectionAddr repeats the address'],
    [
      'a host with one port twice',
      { Host: { ...host, RequestAddr: 'localhost:5002' } },
      'Host.RequestAddr repeats the address localhost:5002 of Host.MessageAddr',
    ],
    [
      'two keys',
      { ...gometa, ClusterKey: '0123456789abcdef', ClusterKeyFile: 'x' },
      'ClusterKey and ClusterKeyFile are both given',
    ],
    ['a short key', { ...gometa, ClusterKey: 'short' }, 'ClusterKey: expected at least 16 characters'],
    [
      'a certificate without its key',
      { ...gometa, ClientTls: { CertFile: 'a.pem' } },
      'ClientTls.KeyFile is missing: expected the key of the certificate',
    ],
    [
      "clients' certificates without an authority",
      { ...gometa, ClientTls: { CertFile: 'a.pem', KeyFile: 'a.key', ClientCertAuth: true } },
      "ClientTls.TrustedCaFile is missing: expected the authorities of clients' certificates",
    ],
    ['TLS that is misspelt', { ...gometa, ClientTls: { CertFiles: 'a.pem' } }, 'did you mean CertFile?'],
    ['a missing key file', { ...gometa, ClusterKeyFile: '/nowhere/key' }, 'Cannot read ClusterKeyFile "/nowhere/key"'],
    ['a bad level', { ...gometa, LogLevel: 'loud' }, 'LogLevel: expected one of "error"|"warn"|"info"|"debug"'],
    ['a negative limit', { ...gometa, Limits: { KeyBytesMax: -1 } }, 'Limits.KeyBytesMax: '],
    [
      'a key limit above what the tree stores',
      { ...gometa, Limits: { KeyBytesMax: 2000 } },
      'Limits.KeyBytesMax is 2000: expected at most 980',
    ],
    [
      'values above a frame',
      { ...gometa, Limits: { ValueBytesMax: 10_000_000 } },
      'Limits.RequestFrameBytesMax is 2097152: expected at least',
    ],
    [
      'keys of a lease above a frame between members',
      { ...gometa, Limits: { LeaseRevokeBytesMax: 2 ** 24 } },
      'Limits.PeerFrameBytesMax is 16777216: expected at least 17422212, the answer with all keys of one lease',
    ],
    [
      'a time that no timer can wait for',
      { ...gometa, Limits: { RequestArrivalTimeoutMs: 2 ** 31 } },
      'Limits.RequestArrivalTimeoutMs is 2147483648: expected at most 2147483647',
    ],
    [
      'limits that cannot work',
      { ...gometa, Timing: { SyncLimitMs: 100 } },
      'Timing.SyncLimitMs is 100: expected at least twice PingIntervalMs (100)',
    ],
    ['broken JSON', '{\n  "Host": {,\n}', 'line 2, column 12'],
    ['no object', '[]', 'expected a JSON object'],
    ['an empty file', '', 'Cannot parse configuration'],
    ['objects in objects', `${'{"Host":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 'it nests deeper than 64'],
    ['lists in lists', `{"Peer":${'['.repeat(64)}${']'.repeat(64)}}`, 'it nests deeper than 64'],
    ['not quite so many', `{"Peer":${'['.repeat(63)}${']'.repeat(63)}}`, 'Peer[0]: expected object'],
  ])('refuses %s', (_, content, expected) => {
    expect(refusalOf(content)).toContain(expected);
  });

  it('repeats no secret that stands where there is a mistake', () => {
    const unquoted = '{\n  "Host": {},\n  "ClusterKey": secret-of-the-cluster\n}';
    expect(refusalOf(unquoted)).toMatch(/, line 3, column 17: Unexpected token 's'$/);
    const address = { ...gometa, Host: { ...host, RequestAddr: 'admin:se@cret@localhost:5003' } };
    expect(refusalOf(address)).toMatch(/Host\.RequestAddr: "…@localhost:5003" has something before an @: expected/);
  });

  it('names the variable or the flag that set a bad value', () => {
    expect(refusalOf(gometa, { ZABTREE_LOG_LEVEL: 'loud' })).toContain('(set by ZABTREE_LOG_LEVEL)');
    expect(refusalOf(gometa, { ZABTREE_LIMITS_KEY_BYTES_MAX: 'many' })).toContain(
      '(set by ZABTREE_LIMITS_KEY_BYTES_MAX)',
    );
    expect(refusalOf(gometa, {}, { 'request-addr': 'nowhere' })).toContain('(set by --request-addr)');
  });

  it('suggests nothing for a key that is like no other', () => {
    expect(refusalOf({ ...gometa, Frobnicate: 1 })).toMatch(/Frobnicate is not a known key$/);
  });

  it('says that a file is missing', () => {
    expect(() => loadNodeConfig({ file: join(directory, 'none.json') })).toThrow(/none.json": there is no such file/);
  });
});

describe('loadClientConfig()', () => {
  it("reads gometa's client file, and a server's own", () => {
    expect(loadClientConfig(fileOf({ Peer: [{ RequestAddr: 'a:1' }, { RequestAddr: 'b:1' }] }))).toEqual({
      peers: ['a:1', 'b:1'],
      tls: undefined,
    });
    expect(loadClientConfig(fileOf(gometa)).peers).toEqual(['localhost:5003']);
  });

  it('finds that TLS has to be spoken, in either file', () => {
    const files = { CertFile: 'a.pem', KeyFile: 'a.key' };
    const server = { ...gometa, ClientTls: { ...files, TrustedCaFile: 'clients.pem' } };
    const nothing = { caFile: undefined, certFile: undefined, keyFile: undefined, ownCertFile: undefined };
    expect(loadClientConfig(fileOf(server)).tls).toEqual({ ...nothing, ownCertFile: 'a.pem' });
    expect(loadClientConfig(fileOf({ ...gometa, ClientTls: { ...files, AllowPlain: true } })).tls).toBeUndefined();
    const client = { Peer: [{ RequestAddr: 'a:1' }] };
    expect(loadClientConfig(fileOf({ ...client, Tls: {} })).tls).toEqual(nothing);
    expect(loadClientConfig(fileOf({ ...client, Tls: { CaFile: 'ca.pem', ...files } })).tls).toEqual({
      ...{ caFile: 'ca.pem', certFile: 'a.pem', keyFile: 'a.key', ownCertFile: undefined },
    });
    expect(() => loadClientConfig(fileOf({ ...client, Tls: { CaFiles: 'a' } }))).toThrow(/did you mean CaFile/);
  });

  it.each<[unknown, string]>([
    [{}, 'Peer is missing'],
    [{ Peer: [] }, 'Peer: lists no peer'],
    [{ Peer: [{}] }, 'Peer[0].RequestAddr is missing'],
    [{ Peer: [{ RequestAddr: 'a:1' }, { RequestAddr: 'a:1' }] }, 'Peer lists a:1 twice'],
    [{ Peers: [] }, 'Peers is not a known key: did you mean Peer?'],
  ])('refuses %j', (content, expected) => {
    expect(() => loadClientConfig(fileOf(content))).toThrow(expected);
  });
});

describe('serverIdOf()', () => {
  it('gives safe, different, stable ids', () => {
    const ids = new Set(Array.from({ length: 1000 }, (_, i) => serverIdOf('zabtree', `localhost:${i}`)));
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(Number.isSafeInteger(id) && id > 0).toBe(true);
    expect(serverIdOf('zabtree', 'localhost:5002')).toBe(serverIdOf('zabtree', 'localhost:5002'));
    expect(serverIdOf('other', 'localhost:5002')).not.toBe(serverIdOf('zabtree', 'localhost:5002'));
  });
});
