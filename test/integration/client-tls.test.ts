// Commands that speak TLS: by options, by the environment, by the configuration; and what they say when they must not
// believe the server.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runZabtree } from '../harness/run-zabtree.js';
import { type ServedNode, serveNode } from '../support/served-node.js';
import { testCertificate } from '../support/test-certificates.js';

const authority = testCertificate('the authority');
const server = testCertificate('the server', authority);
const alice = testCertificate('alice', authority);
const directory = mkdtempSync(join(tmpdir(), 'zabtree-cli-tls-'));
let served: ServedNode;
let cacert = '';

function put(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

beforeAll(async () => {
  cacert = put('ca.pem', authority.cert);
  put('alice.pem', alice.cert);
  put('alice.key', alice.key);
  const files = { certFile: put('server.pem', server.cert), keyFile: put('server.key', server.key) };
  served = await serveNode({
    clientTls: { ...files, trustedCaFile: cacert, clientCertAuth: false, allowPlain: false },
  });
});

afterAll(async () => {
  await served.close();
  rmSync(directory, { recursive: true, force: true });
});

test('options, the environment and a client’s file say how servers are believed', async () => {
  const given = ['--peer', served.peer, '--cacert', cacert];
  const certified = ['--cert', join(directory, 'alice.pem'), '--key', join(directory, 'alice.key')];
  expect(await runZabtree(['set', 'k', 'v', ...given, ...certified])).toMatchObject({ code: 0 });
  const environment = { ZABTREE_CACERT: cacert, ZABTREE_PEERS: served.peer };
  expect(await runZabtree(['get', 'k'], { environment })).toMatchObject({ code: 0, stdout: 'v' });
  const file = put('client.json', JSON.stringify({ Peer: [{ RequestAddr: served.peer }], Tls: { CaFile: cacert } }));
  const repl = await runZabtree(['client', '--config', file], { input: '0\nget k\nexit\n' });
  expect(repl).toMatchObject({ code: 0, stdout: expect.stringContaining('Result = v, len(result) = 1\n') });
  const load = ['--in-flight', '10', '--preload', '20', '--duration', '0.2', '--warmup', '0', '-o', 'json'];
  const bench = await runZabtree(['bench', ...given, ...load, '--user', 'nobody:a password']);
  expect(bench.stdout).not.toContain('a password');
  expect(JSON.parse(bench.stdout)).toMatchObject({ result: { errors: {} } });
});

test('a server’s own file says that TLS is needed, and its certificate is believed', async () => {
  const [host = '', port = ''] = served.peer.split(':');
  const document = {
    Host: { ElectionAddr: `${host}:1`, MessageAddr: `${host}:2`, RequestAddr: `${host}:${port}` },
    ClientTls: { CertFile: join(directory, 'server.pem'), KeyFile: join(directory, 'server.key') },
  };
  const file = put('server.json', JSON.stringify(document));
  const status = await runZabtree(['status', '--config', file, '-o', 'json']);
  expect(status.code, status.stderr).toBe(0);
  expect(JSON.parse(status.stdout)).toMatchObject({ members: [{ role: 'leader' }] });
});

test('a server that is not to be believed is not spoken with, and mistakes are told', async () => {
  const stranger = await runZabtree(['get', 'k', '--peer', served.peer, '--tls']);
  expect(stranger).toMatchObject({ code: 5, stderr: expect.stringMatching(/self-signed|unable to/) });
  const peer = served.peer.replace('127.0.0.1', 'localhost');
  expect((await runZabtree(['get', 'k', '--peer', peer, '--cacert', cacert])).stderr).toMatch(/does not match/);
  const trusting = await runZabtree(['get', 'k', '--peer', peer, '--insecure-skip-tls-verify', '--local']);
  expect([0, 3]).toContain(trusting.code);
  const plain = await runZabtree(['get', 'k', '--peer', served.peer]);
  expect(plain).toMatchObject({ code: 5, stderr: expect.stringContaining('takes clients with TLS only') });
  for (const [args, message] of [
    // An empty list of authorities would be the ones that Node believes by itself.
    [['--cacert', put('empty.pem', '')], /"[^"]*empty\.pem" holds no certificate/],
    [['--cacert', '/nowhere.pem'], /"\/nowhere\.pem" cannot be read/],
    [['--cacert', cacert, '--cert', cacert], /given together/],
    [['--tls', '--cert', join(directory, 'alice.pem'), '--key', join(directory, 'server.key')], /a file is of no use/],
  ] as const) {
    const refused = await runZabtree(['get', 'k', '--peer', served.peer, ...args]);
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
  }
});
