import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readConfigText } from '../../config/config-file.js';
import { loadNodeConfig } from '../../config/load-node-config.js';
import type { NodeConfig } from '../../config/node-config.js';
import { readEtcdArguments } from './etcd-arguments.js';
import { readEtcdConfigFile } from './etcd-config-file.js';
import { translate } from './etcd-translation.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-etcd-config-'));
const file = join(directory, 'etcd.yml');
afterAll(() => rmSync(directory, { recursive: true }));

function valuesOf(yaml: string): Record<string, string> {
  writeFileSync(file, yaml);
  return Object.fromEntries(readEtcdConfigFile(file));
}

function configOf(yaml: string): NodeConfig {
  return loadNodeConfig({ document: translate(new Map(Object.entries(valuesOf(yaml)))).document, environment: {} });
}

function errorOf(yaml: string): string {
  try {
    configOf(yaml);
  } catch (error) {
    return (error as Error).message.replaceAll(file, 'FILE');
  }
  return 'none';
}

/** As the file that comes with etcd is written. */
const complete = `
# This is the configuration file for the etcd server.
name: 'n2'
data-dir: /var/lib/n2
wal-dir:
snapshot-count: 10000
heartbeat-interval: 200
election-timeout: 2000
quota-backend-bytes: 0
listen-peer-urls: http://0.0.0.0:2380
listen-client-urls: https://0.0.0.0:2379
initial-advertise-peer-urls: http://10.0.0.2:2380
advertise-client-urls: https://10.0.0.2:2379
discovery:
discovery-fallback: 'proxy'
initial-cluster: n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380
initial-cluster-token: 0123
initial-cluster-state: 'new'
strict-reconfig-check: no
proxy: 'off'
client-transport-security:
  cert-file: server.crt
  key-file: server.key
  client-cert-auth: yes
  trusted-ca-file: ca.crt
  auto-tls: false
peer-transport-security:
  cert-file:
  client-cert-auth: false
self-signed-cert-validity: 1
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
`;

describe("etcd's configuration file", () => {
  it('means what the flags mean', () => {
    expect(configOf(complete)).toMatchObject({
      ensembleName: '0123',
      dataDir: '/var/lib/n2',
      requestAddr: '10.0.0.2:2379',
      listen: { message: '0.0.0.0:2380', request: '0.0.0.0:2379' },
      members: [{}, {}],
      clientTls: { certFile: 'server.crt', keyFile: 'server.key', clientCertAuth: true, trustedCaFile: 'ca.crt' },
      timing: { pingIntervalMs: 200, syncLimitMs: 2_000 },
      logLevel: 'debug',
    });
  });

  it('has a section for TLS between members', () => {
    const urls = ['listen-peer-urls', 'initial-advertise-peer-urls'].map((name) => `${name}: https://10.0.0.1:2380\n`);
    const section =
      'peer-transport-security:\n  cert-file: c\n  key-file: k\n  trusted-ca-file: a\n  client-cert-auth: true\n';
    expect(configOf([...urls, section].join('')).peerTls).toEqual({ certFile: 'c', keyFile: 'k', trustedCaFile: 'a' });
  });

  it('may say nothing, or leave things open', () => {
    expect(configOf('')).toEqual(configOf('# nothing\n---\n'));
    expect(configOf('').requestAddr).toBe('localhost:2379');
    expect(configOf("name:\nlisten-client-urls: ''\nclient-transport-security:\n")).toEqual(configOf(''));
    expect(configOf('listen-client-urls: http://127.0.0.1:7000').requestAddr).toBe('localhost:2379');
  });

  it('takes texts as they are written, lists and references', () => {
    expect(valuesOf('name: 1_0\nmax-txn-ops: 0x10\ndata-dir: on\ndebug: on')).toMatchObject({
      name: '1_0',
      'max-txn-ops': '0x10',
      'data-dir': 'on',
      debug: 'true',
    });
    expect(valuesOf('log-outputs:\n- stderr\n- &x y\nname: *x')).toMatchObject({
      'log-outputs': 'stderr,y',
      name: 'y',
    });
  });

  it.each<readonly [string, string]>([
    ['name: a\nlisten-client-url: b', 'line 2: listen-client-url is not a known key: did you mean listen-client-urls?'],
    ['constructor: a', 'line 1: constructor is not a known key'],
    ['config-file: a', 'config-file is not a known key'],
    ['peer-cert-file: a', 'peer-cert-file is not a known key: it stands in peer-transport-security, as cert-file'],
    [
      'client-transport-security: {cert_file: a}',
      'client-transport-security.cert_file is not a known key: did you mean',
    ],
    ['client-transport-security: a', 'line 1: client-transport-security is a section'],
    ['one: 1\ntwo: 2', 'one is not a known key\n    and: line 2: two is not a known key'],
    ['name: [a]', 'line 1: name: expected a text or a number'],
    ['debug: maybe', 'line 1: debug: expected true or false'],
    ['- name', 'it is no mapping'],
    ['name: a\nname: b', 'Cannot parse configuration "FILE", line 2, column 1: Map keys must be unique'],
    ['name: [a', 'Cannot parse configuration "FILE", line 1, column 9'],
    ['name: *nobody', 'line 1: name: expected a text or a number'],
    ['peer-transport-security: {cert-file: a}', '--peer-cert-file is given, and the URLs for members have http'],
    ['advertise-client-urls: http://u:p@h:1', 'invalid value "…@h:1" for flag -advertise-client-urls: URL must not'],
    ['http://u:p@h: 1', 'line 1: …@h is not a known key'],
    ['name: |u:p@h', 'column 8: …@h'],
    ['name: @n', 'column 7: Plain value cannot start with reserved character @'],
    ['max-txn-ops: 1e6', 'invalid value "1e6" for flag -max-txn-ops'],
  ])('is refused with its line: %s', (yaml, expected) => {
    expect(errorOf(yaml)).toContain(expected);
  });

  it('is no larger than a megabyte', () => {
    expect(errorOf(`name: ${'x'.repeat(2 ** 20)}`)).toContain(
      `it has ${2 ** 20 + 6} bytes, expected at most 1048576 bytes`,
    );
  });

  it.each([
    ['brackets', `a:\nb: ${'['.repeat(100_000)}`, 2],
    ['braces', `a: ${'{a: '.repeat(20_000)}`, 1],
    ['lines', Array.from({ length: 1_000 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), 66],
    ['items', `# all\n- ${'- '.repeat(100_000)}`, 2],
    ['keys', '? '.repeat(100_000), 1],
  ])('whose structures nest too deep by %s is refused with its line', (_, yaml, line) => {
    expect(errorOf(yaml)).toBe(
      `Cannot parse configuration "FILE", line ${line}: it nests or is indented deeper than 64`,
    );
  });

  it('may have long lines, brackets in texts, and comments far to the right', () => {
    const name = `${'- '.repeat(100)}${'['.repeat(100)}`;
    const far = `${' '.repeat(100)}# far`;
    expect(valuesOf(`${far}\nname: "${name}"  ${far}\n${far}\ndata-dir: |\n  ${name}`)).toMatchObject({
      name,
      'data-dir': `${name}\n`,
    });
    const many = Array.from({ length: 100 }, (_, index) => `[a${index}]`).join(', ');
    expect(errorOf(`name: [${many}]`)).toBe(
      'Cannot use configuration "FILE": line 1: name: expected a text or a number',
    );
  });

  it.skipIf(!existsSync('/dev/zero'))('is read no further than that where it has no end', () => {
    expect(() => readConfigText('/dev/zero')).toThrow('it has more, expected at most 1048576 bytes');
  });

  it('is what --config-file and ETCD_CONFIG_FILE name, and then it alone counts', () => {
    expect(
      readEtcdArguments(['--config-file', 'f', '--name=x'], { ETCD_DATA_DIR: 'd', ETCD_CONFIG_FILE: 'g' }),
    ).toEqual({
      wants: 'server',
      values: new Map(),
      warnings: ['the configuration file counts alone, these are ignored: --name, ETCD_DATA_DIR'],
      configFile: 'f',
    });
    expect(readEtcdArguments([], { ETCD_CONFIG_FILE: 'g', ETCD_NAME: '' })).toMatchObject({
      warnings: [],
      configFile: 'g',
    });
    expect(readEtcdArguments([], { ETCD_CONFIG_FILE: '' }).configFile).toBeUndefined();
    expect(() => readEtcdConfigFile(join(directory, 'none.yml'))).toThrow('Cannot read configuration');
  });
});
