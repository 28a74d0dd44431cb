// The one-shot commands against a real ensemble: what they print, in which shape, and with which exit code they end.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../src/cli/local-ensemble/free-ports.js';
import { LocalEnsemble, zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { until } from '../../src/cli/local-ensemble/until.js';
import { type RunOptions, type RunResult, runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, TestEnsemble } from '../harness/test-ensemble.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-cli-'));
let ensemble: TestEnsemble;

beforeAll(async () => {
  ensemble = new TestEnsemble(await LocalEnsemble.create({ nodes: 3, directory }));
  await ensemble.start();
});

afterAll(async () => {
  ensemble.view.close();
  await ensemble.ensemble.close();
  rmSync(directory, { recursive: true, force: true });
});

function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return runZabtree([...args, '--config', ensemble.ensemble.clientFile], options);
}

async function json(args: readonly string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run([...args, '-o', 'json']);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

async function closedPort(): Promise<string> {
  return `127.0.0.1:${(await freePorts(1))[0]}`;
}

test('add exits 4 for a key that exists; get and delete exit 3 for one that does not', async () => {
  expect((await run(['add', 'exit/a', '1'])).code).toBe(0);
  const again = await run(['add', 'exit/a', '2']);
  expect(again.code).toBe(4);
  expect(again.stdout).toBe('');
  expect(again.stderr).toContain('KEY_EXISTS');
  expect(await run(['get', 'exit/a'])).toMatchObject({ code: 0, stdout: '1', stderr: '' });
  expect((await run(['delete', 'exit/a'])).code).toBe(0);
  expect((await run(['delete', 'exit/a'])).code).toBe(3);
  expect(await run(['get', 'exit/a'])).toMatchObject({ code: 3, stdout: '' });
});

test('set with an expected revision writes only if it is the revision', async () => {
  const { revision } = (await json(['set', 'cas', '1', '--expected-revision', '0'])) as { revision: number };
  expect((await run(['set', 'cas', '2', '--expected-revision', String(revision)])).code).toBe(0);
  const refused = await run(['set', 'cas', '3', '--expected-revision', String(revision)]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('REVISION_MISMATCH');
});

test('add and set hang a key on a lease, get tells which, and a lease that is not there exits 3', async () => {
  expect((await run(['lease', 'grant', '600', '--id', 'ab12'])).code).toBe(0);
  expect((await run(['add', 'held/a', '1', '--lease', 'ab12'])).code).toBe(0);
  expect((await run(['set', 'held/b', '2', '--lease', 'ab12', '--expected-revision', '0'])).code).toBe(0);
  const got = await run(['get', 'held/a']);
  expect(got).toMatchObject({ code: 0, stdout: '1', stderr: 'zabtree: held by lease ab12\n' });
  expect(await json(['get', 'held/b'])).toMatchObject({ value: '2', lease: 'ab12' });
  expect(await json(['lease', 'ttl', 'ab12', '--keys'])).toMatchObject({
    keys: [{ key: 'held/a' }, { key: 'held/b' }],
  });
  expect(await json(['lease', 'list'])).toMatchObject({ leases: ['ab12'] });
  for (const command of ['add', 'set']) {
    const refused = await run([command, 'held/c', '1', '--lease', 'ab13']);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('Cannot put a key with lease ab13: there is no such lease');
  }
  expect((await run(['lease', 'revoke', 'ab12'])).code).toBe(0);
  expect((await run(['get', 'held/a'])).code).toBe(3);
});

test('txn takes and prints what etcdctl does, and carries nothing out of input that it cannot take', async () => {
  const lines = [
    'mod("txn/a") = "0"',
    '',
    'put txn/a "x\\ty"',
    'put txn/b 2',
    '',
    'get txn/ --prefix',
    'del txn/b',
    '',
    '',
  ];
  const input = lines.join('\n');
  expect(await run(['txn'], { input })).toMatchObject({ code: 0, stdout: 'SUCCESS\n\nOK\n\nOK\n', stderr: '' });
  const asked = await run(['txn', '-i'], { input });
  expect(asked).toMatchObject({ code: 0, stdout: 'FAILURE\n\ntxn/a\nx\ty\ntxn/b\n2\n\n1\n' });
  expect(asked.stderr).toBe('compares:\nsuccess requests (get, put, del):\nfailure requests (get, put, del):\n');
  const answered = await run(['txn', '-o', 'json'], { input });
  expect(JSON.parse(answered.stdout)).toMatchObject({
    succeeded: false,
    responses: [
      { type: 'get', records: [{ key: 'txn/a', value: 'x\ty' }], count: 1, more: false },
      { type: 'delete', deleted: 0, previous: [] },
    ],
  });
  for (const bad of ['\nput txn/c 1\n\n', 'mod("txn/a") = x\n\nput txn/c 1\n\n\n']) {
    expect((await run(['txn'], { input: bad })).code).toBe(1);
  }
  expect((await run(['get', 'txn/c'])).code).toBe(3);
});

test('values come from standard input and go to standard output byte for byte', async () => {
  const text = 'line one\nline two\n\u0000 \u00ff';
  expect((await run(['set', 'bytes', '-'], { input: text })).code).toBe(0);
  expect((await run(['get', 'bytes'])).stdout).toBe(text);
  expect(await json(['get', 'bytes'])).toMatchObject({ key: 'bytes', value: text, version: 1 });
  const binary = spawnSync(
    process.execPath,
    [zabtreeExecutable, 'set', 'binary', '-', '--config', ensemble.ensemble.clientFile],
    {
      input: Buffer.from([0, 255, 254]),
    },
  );
  expect(binary.status).toBe(0);
  expect(await json(['get', 'binary'])).toMatchObject({ key: 'binary', valueBase64: 'AP/+' });
});

test('status asks every member itself and has exactly the promised shape', async () => {
  const { members } = (await json(['status'])) as { members: Record<string, unknown>[] };
  expect(members).toHaveLength(3);
  for (const member of members) {
    expect(Object.keys(member)).toEqual([
      'id',
      'role',
      'zxid',
      'revision',
      'ElectionAddr',
      'MessageAddr',
      'RequestAddr',
    ]);
  }
  expect(members.map(({ role }) => role).sort()).toEqual(['follower', 'follower', 'leader']);
  expect(members.map(({ RequestAddr }) => RequestAddr)).toEqual(
    expect.arrayContaining([...ensemble.ensemble.requestAddresses]),
  );
  const one = await runZabtree(['status', '-o', 'json', '--peer', ensemble.node(1).addresses.RequestAddr]);
  expect((JSON.parse(one.stdout) as { members: unknown[] }).members).toHaveLength(3);
});

test('digest prints zxid, revision and digest, and compares all nodes when asked', async () => {
  const first = await json(['digest']);
  expect(Object.keys(first as object)).toEqual(['zxid', 'revision', 'digest']);
  expect(await json(['digest'])).toEqual(first);
  const all = (await json(['digest', '--all'])) as { equal: boolean; digests: unknown[] };
  expect(all.equal).toBe(true);
  expect(all.digests).toHaveLength(3);
});

test('list prints a range in order, at a revision, in pages of one revision', async () => {
  for (const key of ['b', 'a', 'c']) await run(['set', `list/${key}`, key.toUpperCase()]);
  const { revision } = (await json(['set', 'list/a', 'newer'])) as { revision: number };
  expect((await run(['list', '--prefix', 'list/'])).stdout).toBe('list/a\tnewer\nlist/b\tB\nlist/c\tC\n');
  expect((await run(['list', '--prefix', 'list/', '--keys-only', '--limit', '2'])).stdout).toBe('list/a\nlist/b\n');
  const older = await json(['list', '--prefix', 'list/a', '--revision', String(revision - 1)]);
  expect(older).toMatchObject({ records: [{ key: 'list/a', value: 'A' }], revision: revision - 1 });
  expect(await json(['list', '--prefix', 'nothing/'])).toMatchObject({ records: [] });
  expect((await run(['list', '--revision', '1000000'])).code).toBe(1);
});

test('watch prints the initial state, the past and the present, and stops after a count', async () => {
  await run(['set', 'watch/a', '1']);
  const { revision } = (await json(['set', 'watch/a', '2'])) as { revision: number };
  const past = await run(['watch', 'watch/a', '--from-revision', String(revision - 1), '--count', '2', '-o', 'json']);
  expect(
    past.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { type: 'put', key: 'watch/a', value: '1', modRevision: revision - 1 },
    { type: 'put', key: 'watch/a', value: '2', modRevision: revision },
  ]);
  const watching = run(['watch', '--prefix', 'watch/', '--initial', '--count', '3']);
  let writes = 0;
  const pump = until('the watch to end', { timeoutMs: patienceMs, everyMs: 50 }, async () => {
    if (ended) return true;
    await run(writes++ % 2 === 0 ? ['set', 'watch/b', 'x'] : ['delete', 'watch/b']);
    return undefined;
  });
  let ended = false;
  const { code, stdout } = await watching;
  ended = true;
  await pump;
  expect(code).toBe(0);
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toBe(`initial\t${revision}\twatch/a\t2`);
  expect(lines).toHaveLength(3);
  expect(lines[2]).toMatch(/^(put|delete)\t\d+\twatch\/b/);
});

test('a broadcast reaches those who listen', async () => {
  const listening = run(['watch', 'no-such-key', '--broadcasts', '--count', '1', '-o', 'json']);
  let ended = false;
  const pump = until('the listener to end', { timeoutMs: patienceMs, everyMs: 100 }, async () => {
    if (!ended) await run(['broadcast', 'hello everybody']);
    return ended || undefined;
  });
  const { stdout } = await listening;
  ended = true;
  await pump;
  expect(JSON.parse(stdout)).toEqual({ type: 'broadcast', payload: 'hello everybody' });
});

test('a command tries the next peer, and exits 5 when there is none', async () => {
  const dead = await closedPort();
  const next = await runZabtree(['set', 'next', '1', '--peer', dead, '--peer', ensemble.node(0).addresses.RequestAddr]);
  expect(next.code, next.stderr).toBe(0);
  for (const args of [['get', 'a'], ['set', 'a', '1'], ['status'], ['watch'], ['list'], ['digest']]) {
    const nobody = await runZabtree([...args, '--peer', dead]);
    expect(nobody.code, args.join(' ')).toBe(5);
    expect(nobody.stderr).toContain(dead);
    expect(nobody.elapsedMs).toBeLessThan(5_000);
  }
});

test('bad usage exits 2 and says what was expected', async () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['gte', 'a'], /unknown command 'gte'.*Did you mean get\?/s],
    [['help', 'gte'], /unknown command 'gte'.*Did you mean get\?/s],
    [['lease', 'help', 'grnat'], /unknown command 'grnat'.*Did you mean grant\?/s],
    [['help', 'snapshot', 'foo'], /unknown command 'foo'/],
    [['help', 'get', 'foo'], /Cannot help with "foo": get has no subcommands/],
    [['get'], /missing required argument 'key'/],
    [['get', 'a', '--peer', 'nowhere'], /has no port/],
    [['get', 'a', '--peer', 'u:p@h:1'], /^zabtree: Cannot use --peer: "…@h:1" has something before an @/],
    [['get', 'a', '--usr=u:p'], /unknown option '--usr=…'/],
    [['get', 'a', '--timeout', 'soon'], /expected a duration/],
    [['get', 'a', '-o', 'xml'], /Allowed choices are text, json/],
    [['list', '--limit', '-1'], /limit/],
    [['watch', '--initial', '--from-revision', '3'], /cannot be used with/],
    [['get', 'a', '--config', '/nowhere.json'], /nowhere\.json": there is no such file/],
    [['completion', 'tcsh'], /Allowed choices are bash, zsh, fish/],
    [[], /Usage: zabtree/],
  ];
  for (const [args, message] of cases) {
    const result = await runZabtree(args);
    expect(result.code, args.join(' ')).toBe(2);
    expect(result.stderr).toMatch(message);
    expect(result.stdout).toBe('');
  }
  const help = await runZabtree(['help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  for (const name of ['server', 'get', 'bench', 'demo', 'simulate']) expect(help.stdout).toContain(`  ${name} `);
  expect((await runZabtree(['help', 'lease', 'grant'])).stdout).toContain('Usage: zabtree lease grant ');
  expect((await runZabtree(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test('too large and empty keys and values are refused with their limit', async () => {
  const longKey = await run(['set', 'k'.repeat(901), '1']);
  expect(longKey.code).toBe(1);
  expect(longKey.stderr).toMatch(/TOO_LARGE.*900/);
  const longValue = await run(['set', 'k', '-'], { input: 'v'.repeat(1.6 * 2 ** 20) });
  expect(longValue.code).toBe(1);
  expect(longValue.stderr).toMatch(/TOO_LARGE.*1572864/);
  expect((await run(['set', '', '1'])).code).toBe(1);
  expect((await run(['set', 'empty', ''])).code).toBe(0);
  expect(await run(['get', 'empty'])).toMatchObject({ code: 0, stdout: '' });
});

test('the executable works through a symbolic link and from any directory', async () => {
  const link = join(directory, 'zt');
  symlinkSync(zabtreeExecutable, link);
  const { status, stdout } = spawnSync(link, ['config', 'print', '--effective'], { cwd: directory, encoding: 'utf8' });
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ Host: { RequestAddr: '127.0.0.1:5003' }, DataDir: './data' });
});

test('config print checks a file and never shows a secret', async () => {
  const file = join(directory, 'secret.json');
  const document = { ...(JSON.parse(await configOf(0)) as object), ClusterKey: 'a secret of the ensemble' };
  writeFileSync(file, JSON.stringify(document));
  for (const effective of [[], ['--effective']]) {
    const { code, stdout } = await runZabtree(['config', 'print', '--config', file, ...effective]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('a secret');
    expect(JSON.parse(stdout)).toHaveProperty('ClusterKey');
  }
});

async function configOf(index: number): Promise<string> {
  return (await runZabtree(['config', 'print', '--config', ensemble.node(index).configFile])).stdout;
}

test.each(['bash', 'zsh', 'fish'])('completion prints a script for %s', async (shell) => {
  const { code, stdout } = await runZabtree(['completion', shell]);
  expect(code).toBe(0);
  for (const word of ['server', 'bench', 'from-revision']) expect(stdout).toContain(word);
  if (shell === 'bash') expect(spawnSync('bash', ['-n'], { input: stdout }).status).toBe(0);
});

test('a lone member refuses writes with exit code 5 within the deadline, and status shows who is gone', async () => {
  const leader = await ensemble.leader();
  const [survivor = 0, other = 0] = ensemble.followersOf(leader);
  await Promise.all([ensemble.node(leader).kill(), ensemble.node(other).kill()]);
  const peer = ensemble.node(survivor).addresses.RequestAddr;
  const refused = await runZabtree(['set', 'minority', '1', '--peer', peer, '--timeout', '1500ms']);
  expect(refused.code, refused.stderr).toBe(5);
  expect(refused.elapsedMs).toBeLessThan(10_000);
  const read = await runZabtree(['get', 'next', '--peer', peer, '--timeout', '1s']);
  expect(read.code, read.stderr).toBe(5);
  expect(await runZabtree(['get', 'next', '--local', '--peer', peer])).toMatchObject({ code: 0, stdout: '1' });
  const status = await run(['status', '-o', 'json']);
  expect(status.code).toBe(0);
  const { members } = JSON.parse(status.stdout) as { members: { role: string; zxid: number | null }[] };
  expect(members.map(({ role }) => role).sort()).toEqual(['looking', 'unreachable', 'unreachable']);
  await ensemble.start();
  expect(await run(['get', 'minority'])).toMatchObject({ stdout: expect.stringMatching(/^1?$/) });
});
