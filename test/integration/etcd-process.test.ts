// `bin/etcd` as a supervisor starts it: real processes by etcd's command lines, stopped by signals, spoken to by etcdctl
// where that is installed and by the native client everywhere.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import type { ClientTransport } from '../../src/client/client-transport.js';
import { tcpTransport } from '../../src/client/tcp-transport.js';
import { tlsTransport } from '../../src/client/tls-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import { etcdctl, hasEtcdctl } from '../harness/real-etcd.js';
import { runZabtree } from '../harness/run-zabtree.js';
import { patienceMs } from '../harness/test-ensemble.js';
import { testCertificate } from '../support/test-certificates.js';

if (!hasEtcdctl) process.stderr.write('skipped: etcdctl not installed\n');

const executable = fileURLToPath(new URL('../../bin/etcd', import.meta.url));
const readyLine = 'ready to serve client requests';

interface Member {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
}

class EtcdProcess {
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stderr = '';
  private readonly child: ChildProcess;

  constructor(words: readonly string[], directory: string, environment: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [executable, ...words], {
      cwd: directory,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...environment },
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
  }

  async ready(): Promise<void> {
    await until(`"${readyLine}" on standard error`, { timeoutMs: patienceMs }, () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.stderr}`);
      return this.stderr.includes(readyLine) || undefined;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }
}

let directory: string;
let processes: EtcdProcess[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'zabtree-etcd-process-'));
  processes = [];
});

afterEach(async () => {
  for (const each of processes) each.signal('SIGKILL');
  await Promise.all(processes.map(({ ended }) => ended));
  rmSync(directory, { recursive: true, force: true });
});

function start(words: readonly string[], environment?: NodeJS.ProcessEnv): EtcdProcess {
  const started = new EtcdProcess(words, directory, environment);
  processes.push(started);
  return started;
}

async function membersNamed(...names: readonly string[]): Promise<Member[]> {
  const ports = await freePorts(names.length * 2);
  return names.map((name, index) => ({
    name,
    client: `127.0.0.1:${ports[index * 2]}`,
    peer: `127.0.0.1:${ports[index * 2 + 1]}`,
  }));
}

function wordsOf({ name, client, peer }: Member, all: readonly Member[]): string[] {
  return [
    ...['--name', name, '--initial-cluster-token', 'test'],
    ...['--listen-client-urls', `http://${client}`, '--advertise-client-urls', `http://${client}`],
    ...['--listen-peer-urls', `http://${peer}`, '--initial-advertise-peer-urls', `http://${peer}`],
    ...['--initial-cluster', all.map((member) => `${member.name}=http://${member.peer}`).join(',')],
  ];
}

/** As the manifest of a control plane has them: certificates for everything, and clients that show theirs. */
function secureWordsOf(member: Member, all: readonly Member[]): string[] {
  return [
    ...wordsOf(member, all).map((word) => word.replaceAll('http:', 'https:')),
    ...['--cert-file=server.crt', '--key-file=server.key', '--client-cert-auth=true', '--trusted-ca-file=ca.crt'],
    ...['--peer-cert-file=server.crt', '--peer-key-file=server.key', '--peer-client-cert-auth=true'],
    '--peer-trusted-ca-file=ca.crt',
  ];
}

async function withClient<Result>(
  members: readonly Member[],
  body: (client: ZabtreeClient) => Promise<Result>,
  transport: ClientTransport = tcpTransport,
): Promise<Result> {
  const client = new ZabtreeClient({ peers: members.map(({ client }) => client), transport });
  try {
    return await body(client);
  } finally {
    client.close();
  }
}

describe('bin/etcd', () => {
  it('runs a single member, configured by the environment or a file too, and ends by the signal that stopped it', async () => {
    const [member] = await membersNamed('one');
    if (member === undefined) throw new Error('no ports');
    const [monitors, further] = await freePorts(2);
    const listening = `http://127.0.0.1:${further},http://${member.client}`;
    const words = [...wordsOf(member, [member]).slice(2), '--listen-metrics-urls', `http://127.0.0.1:${monitors}`];
    words[words.indexOf('--listen-client-urls') + 1] = listening;
    words.push('--snapshot-count=7');
    const first = start(words, { ETCD_NAME: 'one' });
    await first.ready();
    expect(first.stderr.match(/warning: .*/g)).toEqual([
      'warning: --snapshot-count has no effect: the log has its own way to stay small',
    ]);
    expect(existsSync(join(directory, 'one.etcd', 'manifest'))).toBe(true);
    const paths = [`${monitors}/metrics`, `${monitors}/health`, `${monitors}/version`, `${further}/version`];
    const statuses = paths.map(async (path) => (await fetch(`http://127.0.0.1:${path}`)).status);
    expect(await Promise.all(statuses)).toEqual([200, 200, 404, 200]);
    expect((await withClient([member], (client) => client.set('k', 'v'))).revision).toBe(2);
    first.signal('SIGTERM');
    expect(await first.ended).toEqual({ code: null, signal: 'SIGTERM' });
    const file = words.slice(0, -1).map((word) => (word.startsWith('--') ? `${word.slice(2)}: ` : `${word}\n`));
    writeFileSync(join(directory, 'etcd.yml'), ['name: one\nauto-compaction-retention: 500ms\n', ...file].join(''));
    const second = start(['--config-file', 'etcd.yml'], { ETCD_NAME: 'other' });
    await second.ready();
    expect(second.stderr).toContain('the configuration file counts alone, these are ignored: ETCD_NAME\n');
    expect((await withClient([member], (client) => client.get('k'))).record?.modRevision).toBe(2);
    await until('the file has history compacted', { timeoutMs: patienceMs }, () =>
      second.stderr.includes('compacting'),
    );
    second.signal('SIGINT');
    expect(await second.ended).toEqual({ code: null, signal: 'SIGINT' });
  });

  it('runs three members that go on without one of them', async () => {
    const members = await membersNamed('a', 'b', 'c');
    const started = members.map((member) => start(wordsOf(member, members)));
    await Promise.all(started.map((each) => each.ready()));
    await withClient(members, async (client) => {
      await client.set('k', '1');
      started[0]?.signal('SIGKILL');
      await client.set('k', '2', { timeoutMs: patienceMs });
      expect((await client.get('k', { timeoutMs: patienceMs })).record?.version).toBe(2);
    });
    const again = start(wordsOf(members[0] as Member, members));
    await again.ready();
  });

  it('runs three members that speak TLS with each other, also when the leader was killed and comes back', async () => {
    const authority = testCertificate('the authority');
    const own = testCertificate('member', authority);
    for (const [name, text] of [
      ['ca.crt', authority.cert],
      ['server.crt', own.cert],
      ['server.key', own.key],
    ] as const)
      writeFileSync(join(directory, name), text);
    const transport = tlsTransport({ ca: authority.cert, cert: own.cert, key: own.key });
    const members = await membersNamed('a', 'b', 'c');
    const started = members.map((member) => start(secureWordsOf(member, members)));
    await Promise.all(started.map((each) => each.ready()));
    const roles = members.map((member) => withClient([member], (client) => client.status(), transport));
    const leader = (await Promise.all(roles)).findIndex(({ role }) => role === 'leader');
    await withClient(
      members,
      async (client) => {
        await client.set('k', '1');
        started[leader]?.signal('SIGKILL');
        await client.set('k', '2', { timeoutMs: patienceMs });
        const again = start(secureWordsOf(members[leader] as Member, members));
        await again.ready();
        const digests = await until('all three agree', { timeoutMs: patienceMs }, async () => {
          const all = await client.digestAll();
          return all.length === 3 ? new Set(all.map(({ digest }) => digest)) : undefined;
        });
        expect(digests.size).toBe(1);
        expect((await client.get('k')).record?.version).toBe(2);
      },
      transport,
    );
    const files = ['--cacert', 'ca.crt', '--cert', 'server.crt', '--key', 'server.key'].map((word) =>
      word.startsWith('--') ? word : join(directory, word),
    );
    if (!hasEtcdctl) return;
    const listed = etcdctl(['--endpoints', `https://${members[0]?.client}`, ...files, 'member', 'list']).stdout;
    for (const { name, client, peer } of members)
      expect(listed).toMatch(new RegExp(`, started, ${name}, https://${peer}, https://${client}`));
  });

  it('names the commands that bring a damaged member back', async () => {
    const members = await membersNamed('a', 'b', 'c');
    const [member] = members as [Member];
    const started = members.map((each) => start(wordsOf(each, members).slice(2), { ETCD_NAME: each.name }));
    await Promise.all(started.map((each) => each.ready()));
    await withClient(members, (client) => client.set('k', 'v'));
    started[0]?.signal('SIGKILL');
    await started[0]?.ended;
    rmSync(join(directory, 'a.etcd', 'log-000001'), { recursive: true });
    const damaged = start(wordsOf(member, members));
    expect(await damaged.ended).toEqual({ code: 6, signal: null });
    const commands = damaged.stderr.match(/^ {2}zabtree .*$/gm) ?? [];
    expect(commands, damaged.stderr).toHaveLength(2);
    const environment = { ...process.env, PATH: `${dirname(executable)}:${process.env['PATH']}`, ETCD_NAME: 'other' };
    const ran = spawnSync('sh', ['-ec', `${commands.join('\n')} --yes`], {
      cwd: directory,
      env: environment,
      encoding: 'utf8',
    });
    expect(ran.status, ran.stderr).toBe(0);
    await start(wordsOf(member, members)).ready();
    const digests = await withClient(members, (client) => client.digestAll());
    expect(digests).toHaveLength(3);
    expect(new Set(digests.map(({ digest }) => digest)).size).toBe(1);
  });

  it.skipIf(!hasEtcdctl)('answers etcdctl: members, status, snapshots', async () => {
    const members = await membersNamed('a', 'b', 'c');
    const started = members.map((member) => start(wordsOf(member, members)));
    await Promise.all(started.map((each) => each.ready()));
    await withClient(members, (client) => client.set('k', 'v'));
    const endpoints = ['--endpoints', members.map(({ client }) => client).join(',')];
    const states = JSON.parse(etcdctl([...endpoints, 'endpoint', 'status', '-w', 'json']).stdout);
    expect(states).toHaveLength(3);
    const listed = etcdctl([...endpoints, 'member', 'list']).stdout;
    for (const { name, client, peer } of members) {
      expect(listed).toMatch(new RegExp(`, started, ${name}, http://${peer}, http://${client}`));
    }
    const file = join(directory, 'saved.db');
    const saved = etcdctl(['--endpoints', members[1]?.client ?? '', 'snapshot', 'save', file]);
    expect(saved.code, saved.stderr).toBe(0);
    expect(JSON.parse(etcdctl(['snapshot', 'status', file, '-w', 'json']).stdout)).toMatchObject({ revision: 2 });
    // Restored without a word about addresses: it is whose who starts it.
    const [moved] = await membersNamed('moved');
    if (moved === undefined) throw new Error('no ports');
    const restored = await runZabtree(['snapshot', 'restore', file, '--data-dir', join(directory, 'moved.etcd')]);
    expect(restored.code, restored.stderr).toBe(0);
    await start(wordsOf(moved, [moved])).ready();
    await withClient([moved], async (client) => expect((await client.get('k')).record?.modRevision).toBe(2));
  });

  it('says what is wrong and ends with the codes of etcd', () => {
    const run = (...words: string[]): { status: number | null; stderr: string; stdout: string } =>
      spawnSync(process.execPath, [executable, ...words], { cwd: directory, encoding: 'utf8' });
    expect(run('--version').stdout).toMatch(/^etcd Version: 3\.5\.\d+\n/);
    expect(run('--help').stdout).toMatch(/--initial-cluster-token 'etcd-cluster'/);
    expect(run('--nmae', 'x')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/-nmae; did you mean -name\?/),
    });
    expect(run('--listen-client-urls', 'http://127.0.0.1:1')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^etcd: error verifying flags, --advertise-client-urls is required/),
    });
    mkdirSync(join(directory, 'default.etcd', 'member', 'snap'), { recursive: true });
    writeFileSync(join(directory, 'default.etcd', 'member', 'snap', 'db'), '');
    expect(run()).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^etcd: Cannot use data directory .*it is of a real etcd.*snapshot restore/),
    });
    expect(run('--config-file', 'none.yaml')).toMatchObject({
      status: 1,
      stderr: 'etcd: Cannot read configuration "none.yaml": there is no such file\n',
    });
  });
});
