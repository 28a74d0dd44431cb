// Clients of etcd that others wrote get from zabtree what they get from etcd: Debian's python3-etcd3, and the official Go
// client with its recipes (Debian: golang-go, golang-etcd-server-dev).

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../bench/run-command.js';
import { withEnsemble } from '../../harness/test-ensemble.js';
import { EtcdProcess, isInstalled } from '../etcd-process.js';

const python = '/usr/bin/python3';
const goPath = '/usr/share/gocode';
const directory = mkdtempSync(join(tmpdir(), 'zabtree-clients-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function sourceOf(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}

function runs(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

type Client = (address: string) => Promise<string>;

async function pythonClient(): Promise<Client> {
  return (address) => runCommand(python, [sourceOf('client.py'), ...address.split(':')]);
}

async function goClient(): Promise<Client> {
  const program = join(directory, 'client');
  await runCommand('go', ['build', '-o', program, sourceOf('client.go')], {
    environment: { GO111MODULE: 'off', GOPATH: goPath, GOFLAGS: '', GOCACHE: join(directory, 'go-cache') },
  });
  return (address) => runCommand(program, [address]);
}

/** Runs the client on a real etcd and on a follower of zabtree: the same lines. */
async function seesTheSame(client: Client, linesMin: number): Promise<void> {
  const etcd = await EtcdProcess.start();
  try {
    await withEnsemble({}, async (test) => {
      const leader = await test.start();
      const follower = test.ensemble.requestAddresses[test.followersOf(leader)[0] ?? 0] ?? '';
      const told = await Promise.all([etcd.address, follower].map(client));
      const [expected = [], found] = told.map((text) => text.trimEnd().split('\n'));
      expect(expected.length).toBeGreaterThan(linesMin);
      expect(found).toEqual(expected);
    });
  } finally {
    await etcd.close();
  }
}

describe('clients that others wrote', () => {
  const etcd = isInstalled('etcd');
  const hasPython = etcd && runs(python, ['-c', 'import etcd3']);
  const hasGo = etcd && existsSync(join(goPath, 'src/go.etcd.io/etcd/clientv3')) && runs('go', ['version']);
  if (!hasPython) process.stderr.write('skipped: etcd or python3-etcd3 not installed\n');
  if (!hasGo) process.stderr.write('skipped: etcd, golang-go or golang-etcd-server-dev not installed\n');
  let building: Promise<Client> | undefined;

  beforeAll(() => {
    // Takes longest, and goes on beside the test of the other client; its own test waits for it and fails with it.
    building = hasGo ? goClient() : undefined;
    building?.catch(() => undefined);
  });

  it.skipIf(!hasPython)('python3-etcd3 sees the same on etcd and on zabtree', async () => {
    await seesTheSame(await pythonClient(), 20);
  });

  it.skipIf(!hasGo)(
    'the Go client sees the same on etcd and on zabtree',
    async () => {
      await seesTheSame(await (building ?? goClient()), 25);
    },
    600_000,
  );
});
