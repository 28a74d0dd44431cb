// The interactive client beyond gometa's dialogue: odd terminals, pipes, editing, the further commands, and the loss of
// its peer in the middle of a load.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalEnsemble, zabtreeExecutable } from '../../src/cli/local-ensemble/local-ensemble.js';
import { runZabtree } from '../harness/run-zabtree.js';
import { hasTerminal, Terminal } from '../harness/terminal.js';
import { patienceMs, TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';

const directory = mkdtempSync(join(tmpdir(), 'zabtree-repl-'));
const prompt = /Enter command\(Add, Set, Delete, Get\)/;
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

async function onTerminal(
  prelude: string,
  clientFile: string,
  body: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const script = `${prelude}; exec "$0" "$@"`;
  const client = [process.execPath, zabtreeExecutable, 'client', '--config', clientFile];
  const terminal = new Terminal(['sh', '-c', script, ...client]);
  try {
    await terminal.see(/Select Host \(number\)/);
    await body(terminal);
  } finally {
    terminal.kill();
  }
}

function piped(lines: readonly string[]) {
  return runZabtree(['client', '--config', ensemble.ensemble.clientFile], { input: `${lines.join('\n')}\n` });
}

test('the dialogue works from a pipe, without escape codes, with prompts one a line', async () => {
  const { code, stdout, stderr } = await piped([
    '0',
    'ADD',
    'pipe',
    'value',
    '1',
    'add',
    'many',
    'v',
    '300',
    'gEt',
    'pipe',
    'Get',
    'many-299',
    'Delete',
    'pipe',
    'Get',
    'pipe',
    'exit',
  ]);
  expect(code, stderr).toBe(0);
  expect(stdout).not.toContain('\u001b');
  const addresses = ensemble.ensemble.requestAddresses.map((address, index) => `\t${index} - ${address}\n`).join('');
  expect(
    stdout.startsWith(
      `${addresses}Select Host (number)\nEnter command(Add, Set, Delete, Get)\nEnter Starting Key\nEnter Starting Value\nEnter Repetition\nOK, revision = `,
    ),
  ).toBe(true);
  expect(stdout).toContain('\nEnter Key\nResult = value, len(result) = 5\n');
  expect(stdout).toContain('\nResult = v-299, len(result) = 5\n');
  expect(stdout).toMatch(/\n300 requests in [\d.]+ s: \d+ per second, p50 [\d.]+ ms, p99 [\d.]+ ms, 0 errors\n/);
  expect(stdout).toContain('Error : KEY_NOT_FOUND: There is no key "pipe"');
});

test('mistakes are answered and the dialogue goes on', async () => {
  const { code, stdout } = await piped([
    '7',
    'x',
    'help',
    '1',
    'Gte',
    'frobnicate',
    'Add',
    'k',
    'v',
    'lots',
    'Get',
    '',
    'use 9',
    'use',
    'Set',
    'again',
    'v',
    '1',
    'Add',
    'again',
    'v',
    '1',
  ]);
  expect(code).toBe(0);
  expect(stdout.match(/Error : Invalid argument: expected a number in 0\.\.2/g)).toHaveLength(2);
  expect(stdout).toContain('\nFirst choose whom to talk to: a number in 0..2.\nSelect Host (number)\n');
  expect(stdout).toContain('Error : Unknown command Gte: did you mean Get?');
  expect(stdout).toContain('Error : Unknown command frobnicate: help lists the commands\n');
  expect(stdout).toContain('"lots" is not a number');
  expect(stdout).toContain('The key is empty');
  const peers = ensemble.ensemble.requestAddresses.map((address, index) => `${index} (${address})`).join(', ');
  for (const reason of ['there is no peer 9', 'no number is given'])
    expect(stdout).toContain(`Error : INVALID_ARGUMENT: Cannot use another peer: ${reason}; the peers are ${peers}\n`);
  expect(stdout).toContain('Error : KEY_EXISTS');
});

test('a line that is too long is refused wherever it stands, and the next one is read', async () => {
  const huge = 'x'.repeat(3 * 2 ** 20);
  const { code, stdout, elapsedMs } = await piped([
    huge,
    '0',
    huge,
    `set bounded ${huge}`,
    'Set',
    'bounded',
    huge,
    `set bounded ${'v'.repeat(2 ** 20)}`,
    'watch nothing/',
    huge,
    'x'.repeat(2 ** 20),
    'set bounded small',
    'get bounded',
  ]);
  expect(code).toBe(0);
  expect(elapsedMs).toBeLessThan(patienceMs);
  expect(
    stdout.match(/Error : TOO_LARGE: Cannot take a line of more than 2097152 bytes: it is left out\n/g),
  ).toHaveLength(4);
  expect(stdout).toMatch(/Error : Unknown command x{60}…: help lists the commands\n/);
  expect(stdout).toContain('\nResult = small, len(result) = 5\n');
});

test('words in double quotes may hold spaces, on a line of their own command alone', async () => {
  const { code, stdout } = await piped([
    '0',
    'add "quoted/my key" "a \\"big\\" value\\n" ',
    'get "quoted/my key"',
    'list "quoted/my k" 5',
    'Set',
    '"quoted/raw"',
    '"as typed"',
    '1',
    'Get',
    '"quoted/raw"',
    'get quoted/my key',
    'get "quoted',
  ]);
  expect(code).toBe(0);
  expect(stdout).toContain('\nResult = a "big" value\n, len(result) = 14\n');
  expect(stdout).toContain('\nquoted/my key = a "big" value\\x0a\n1 key\n');
  expect(stdout).toContain('\nEnter Key\nResult = "as typed", len(result) = 10\n');
  expect(stdout).toContain(
    'Error : INVALID_ARGUMENT: Cannot run Get: the number of arguments is 2, expected at most 1',
  );
  expect(stdout).toContain('Error : INVALID_ARGUMENT: Cannot read the line: a word that begins with "');
});

test('a long value is shown shortened with its length, and printed whole by the command', async () => {
  const value = 'v'.repeat(5_000);
  const { stdout } = await piped(['0', `set long/value ${value}`, 'get long/value', 'list long/']);
  const shown = `${'v'.repeat(2_048)}… (2952 of 5000 bytes not shown)`;
  expect(stdout).toContain(`\nResult = ${shown}, len(result) = 5000\n`);
  expect(stdout).toContain(`\nlong/value = ${shown}\n`);
  const whole = await runZabtree(['get', 'long/value', '--config', ensemble.ensemble.clientFile]);
  expect(whole.stdout).toBe(value);
});

test('the further commands answer', async () => {
  const { stdout } = await piped([
    '0',
    'help',
    'add listed/a 1',
    'add listed/b 2',
    'list listed/',
    'list listed/ 1',
    'status',
    'digest',
    'txn',
    'val("listed/a") = "1"',
    '',
    'get listed/b',
    '',
    '',
    'txn',
    'val("listed/a")',
    '',
    'put listed/c 3',
    '',
    '',
    'lease grant 600 --id 1f',
    'set held/a v --lease 1f',
    'add held v 2 --lease 1f',
    'set held/a v 1 --lease 2f',
    'set held/a v --lease no',
    'set held/a v 1 2',
    'get held/a',
    'lease ttl 1f --keys',
    'lease list',
    'lease keep-alive 1f',
    'lease keep-alive 1f --every 1s',
    'lease revoke 1f',
    'lease ttl 1f',
    'compact 2',
    'compact soon',
    'role',
    'auth foo',
    'use 2',
    'get listed/a',
    'status',
    'exit',
  ]);
  expect(stdout).toContain('print changes until Enter is pressed');
  expect(stdout).toContain('listed/a = 1\nlisted/b = 2\n2 keys\n');
  expect(stdout).toContain('1 key, and more');
  expect(stdout.match(/ leader /g)).toHaveLength(2);
  expect(stdout).toContain('3 nodes agree');
  expect(stdout).toContain('\n1f\nOK, granted for 600 s\n');
  expect(stdout).toContain('\nOK, granted for 600 s\nheld-0\nheld-1\nheld/a\n');
  expect(stdout).toContain('\n1f\nOK, 1 lease\n');
  expect(stdout).toContain('\nResult = v, len(result) = 1, lease = 1f\n');
  expect(stdout).toContain('\nError : LEASE_NOT_FOUND: Cannot put a key with lease 2f: there is no such lease\n');
  expect(stdout).toContain('\nError : INVALID_ARGUMENT: Cannot take --lease no: expected a lease id');
  expect(stdout).toContain(
    '\nError : INVALID_ARGUMENT: Cannot write: expected key, value, a number or nothing, --lease',
  );
  expect(stdout).toContain('\nOK, renewed 1f for 600 s\n');
  expect(stdout).toMatch(/\nError : INVALID_ARGUMENT: Cannot run lease keep-alive: unknown option '--every'\n/);
  expect(stdout).toMatch(/\nOK, revoked 1f, revision \d+\n/);
  expect(stdout).toContain('\nError : LEASE_NOT_FOUND: There is no lease 1f\n');
  expect(stdout).toMatch(/\nOK, compacted to 2, revision \d+\n/);
  expect(stdout).toMatch(/\nError : INVALID_ARGUMENT: Cannot run compact: .*expected a whole number/);
  const roles = 'add, delete, get, list, grant-permission, revoke-permission';
  expect(stdout).toContain(`\nError : INVALID_ARGUMENT: Cannot run role: expected ${roles}\n`);
  expect(stdout).toContain("Cannot run auth: unknown command 'foo', expected enable, disable, status\n");
  expect(stdout).toContain('failure requests (get, put, del):\nSUCCESS\n\nlisted/b\n2\n');
  expect(stdout).toContain('del):\nError : INVALID_ARGUMENT: Cannot read the comparison');
  expect(stdout).not.toContain('Unknown command');
  expect(stdout).toContain(`Using ${ensemble.node(2).addresses.RequestAddr}`);
  expect(stdout).toContain(`Connected to ${ensemble.node(2).addresses.RequestAddr}`);
});

test.skipIf(!hasTerminal).each(['stty rows 0 cols 0', 'stty rows 24 cols 80', 'stty rows 5 cols 10'])(
  'a terminal after "%s" shows the dialogue, a load with its bar, and its end',
  async (prelude) => {
    await onTerminal(prelude, ensemble.ensemble.clientFile, async (terminal) => {
      terminal.type('0');
      await terminal.see(prompt);
      terminal.type('Set');
      await terminal.see(/Enter Starting Key/);
      terminal.type('bar');
      await terminal.see(/Enter Starting Value/);
      terminal.type('v');
      await terminal.see(/Enter Repetition/);
      terminal.type('5000');
      await terminal.see(/5000 requests in .*0 errors/);
      await terminal.see(prompt);
      terminal.type('exit');
      expect(await terminal.ended()).toBe(0);
    });
  },
);

test.skipIf(!hasTerminal)('a terminal has completion, history, watch, and ends at Ctrl-D', async () => {
  await onTerminal('stty rows 24 cols 80', ensemble.ensemble.clientFile, async (terminal) => {
    terminal.type('1');
    await terminal.see(prompt);
    terminal.press('sta');
    await terminal.see(/sta/);
    terminal.press('\t');
    await terminal.see(/tus /);
    terminal.type('');
    await terminal.see(/ leader /);
    await terminal.see(prompt);
    terminal.press('\u001b[A');
    await terminal.see(/status/);
    terminal.type('');
    await terminal.see(/ leader /);
    await terminal.see(prompt);
    terminal.type('watch seen/');
    await terminal.see(/press Enter to stop/);
    await ensembleWrites('seen/key', 'now');
    await terminal.see(/\d+ put seen\/key = now/);
    terminal.type('');
    await terminal.see(prompt);
    terminal.press('\u0004');
    expect(await terminal.ended()).toBe(0);
  });
});

async function ensembleWrites(key: string, value: string): Promise<void> {
  const { code, stderr } = await runZabtree(['set', key, value, '--config', ensemble.ensemble.clientFile]);
  expect(code, stderr).toBe(0);
}

test('users and roles are administered in the words of the command line', async () => {
  const { stdout } = await piped([
    '0',
    'user add root',
    'a root password',
    'user add reader',
    'another password',
    'role add reading',
    'role grant-permission reading read seen/ --prefix',
    'user grant-role reader reading',
    'auth enable',
    'user list',
  ]);
  expect(stdout).not.toMatch(/a root password|another password/);
  expect(stdout).toContain('OK, granted reading to reader\n');
  expect(stdout).toContain('OK, access control is on\n');
  const hint = 'Access control is on: log in first (give --user NAME:PASSWORD or ZABTREE_USER)';
  expect(stdout).toContain(`Error : UNAUTHENTICATED: ${hint}\n`);
  const config = ['--config', ensemble.ensemble.clientFile];
  const environment = { ZABTREE_USER: 'root:a root password' };
  const nobody = await runZabtree(['get', 'other', ...config]);
  expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining(hint) });
  const reader = await runZabtree(['get', 'other', ...config, '--user', 'reader:another password']);
  expect(reader).toMatchObject({ code: 1, stderr: expect.stringContaining('PERMISSION_DENIED') });
  const detail = await runZabtree(['user', 'get', 'reader', '--detail', '-o', 'json', ...config], { environment });
  expect(JSON.parse(detail.stdout)).toEqual({
    user: 'reader',
    roles: [{ role: 'reading', permissions: [{ type: 'read', prefix: 'seen/' }] }],
  });
  const exists = await runZabtree(['user', 'add', 'root', ...config], { environment, input: 'x\n' });
  expect(exists).toMatchObject({ code: 4, stderr: expect.stringContaining('USER_EXISTS') });
  expect((await runZabtree(['auth', 'disable', ...config], { environment })).code).toBe(0);
});

test.skipIf(!hasTerminal)('a password is typed twice, is not shown, and is not in the history', async () => {
  await onTerminal('stty rows 24 cols 80', ensemble.ensemble.clientFile, async (terminal) => {
    terminal.type('0');
    await terminal.see(prompt);
    terminal.type('user add typed');
    await terminal.see(/Password of typed:/);
    terminal.type('s3cret');
    await terminal.see(/typed again:/);
    terminal.type('s3cret');
    await terminal.see(/OK, added the user typed/);
    await terminal.see(prompt);
    terminal.press('\u001b[A');
    await terminal.see(/user add typed/);
    expect(terminal.shown).not.toContain('s3cret');
    terminal.press('\u0015');
    terminal.type('exit');
    expect(await terminal.ended()).toBe(0);
  });
});

test.skipIf(!hasTerminal)('a load goes on at another peer when its own is killed, and loses nothing', async () => {
  await withEnsemble({}, async (own) => {
    const leader = await own.start();
    await onTerminal('stty rows 24 cols 100', own.ensemble.clientFile, async (terminal) => {
      terminal.type(String(leader));
      await terminal.see(prompt);
      terminal.type('Add survivor value 20000');
      await terminal.see(/\[#+-+\] [1-9]\d*\/20000/);
      await own.node(leader).kill();
      await terminal.see(/Lost the connection to/);
      await terminal.see(/Connected to/);
      await terminal.see(/20000 requests in .* 0 errors/, 60_000);
      terminal.type('exit');
      expect(await terminal.ended()).toBe(0);
    });
    await own.ensemble.start();
    await own.leader();
    await own.view.caughtUp(patienceMs);
    for (let node = 0; node < own.size; node++) {
      expect((await own.view.records(node, 'survivor-')).size).toBe(20_000);
    }
  });
});
