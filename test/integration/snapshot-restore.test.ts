// New ensembles from snapshots: made by real etcd and by this program, restored on every member, on some, from different
// files, and a second time into an ensemble that has gone on since.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../src/cli/local-ensemble/until.js';
import { tcpTransport } from '../../src/client/tcp-transport.js';
import { ZabtreeClient } from '../../src/client/zabtree-client.js';
import type { SnapshotVersion } from '../../src/etcd-snapshot/snapshot-content.js';
import type { Revision } from '../../src/shared/ids.js';
import { etcdctl, hasEtcd, hasEtcdctl, RealEtcd } from '../harness/real-etcd.js';
import { type RunResult, runZabtree } from '../harness/run-zabtree.js';
import { patienceMs, type TestEnsemble, withEnsemble } from '../harness/test-ensemble.js';
import { contentOf, deletedVersion, emptyContent, putVersion, snapshotFile } from '../support/snapshot-files.js';

if (!hasEtcd || !hasEtcdctl) process.stderr.write('skipped: etcd or etcdctl not installed\n');

const versions: readonly SnapshotVersion[] = [
  putVersion('a', '1', 2),
  putVersion('a', '2', 3, { createRevision: 2, version: 2 }),
  putVersion('b', '1', 4),
  deletedVersion('a', 5),
  putVersion('a', '3', 6, { lease: 77n }),
  putVersion('c', 'x'.repeat(100_000), 6),
];
const leases = [{ id: 77n, ttlSeconds: 100_000, remainingSeconds: 0 }];

function writeSnapshot(test: TestEnsemble, name: string, extra: readonly SnapshotVersion[] = []): string {
  const file = join(test.ensemble.directory, name);
  const facts = { ...emptyContent.facts, compactedRevision: 2 as Revision };
  writeFileSync(file, snapshotFile(contentOf({ ...emptyContent, facts, leases, versions: [...versions, ...extra] })));
  return file;
}

function restore(test: TestEnsemble, node: number, file: string, flags: readonly string[] = []): Promise<RunResult> {
  const { configFile, dataDirectory } = test.node(node);
  const where = ['--config', configFile, '--data-dir', dataDirectory];
  return runZabtree(['snapshot', 'restore', file, ...where, ...flags]);
}

async function restored(test: TestEnsemble, nodes: readonly number[], file: string): Promise<void> {
  const results = await Promise.all(nodes.map((node) => restore(test, node, file)));
  for (const { code, stderr } of results) expect(code, stderr).toBe(0);
}

async function withClient(test: TestEnsemble, body: (client: ZabtreeClient) => Promise<void>): Promise<void> {
  const client = new ZabtreeClient({ peers: test.ensemble.requestAddresses, transport: tcpTransport });
  try {
    await body(client);
  } finally {
    client.close();
  }
}

/** `key=value` as it was at a revision. */
async function listAt(client: ZabtreeClient, revision?: number): Promise<string[]> {
  const found: string[] = [];
  for await (const { records } of client.list(revision === undefined ? {} : { revision })) {
    for (const { key, value } of records) found.push(`${text(key)}=${value.length > 9 ? value.length : text(value)}`);
  }
  return found;
}

/** `revision key=value` of the changes from a revision on. */
async function changesFrom(client: ZabtreeClient, fromRevision: number, count: number): Promise<string[]> {
  const watch = client.watch({ fromRevision });
  const seen: string[] = [];
  for await (const update of watch) {
    if (update.type !== 'events') continue;
    for (const { key, modRevision, record } of update.events)
      seen.push(`${modRevision} ${text(key)}=${record === undefined ? 'deleted' : record.value.length}`);
    if (seen.length >= count) break;
  }
  return seen;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

async function expectRestored(test: TestEnsemble): Promise<void> {
  await withClient(test, async (client) => {
    expect(await listAt(client)).toEqual(['a=3', 'b=1', 'c=100000']);
    expect(await listAt(client, 5)).toEqual(['b=1']);
    expect(await listAt(client, 3)).toEqual(['a=2']);
    await expect(listAt(client, 1)).rejects.toThrow(/compacted up to revision 2/);
    expect(await changesFrom(client, 4, 4)).toEqual(['4 b=1', '5 a=deleted', '6 a=1', '6 c=100000']);
  });
}

describe('zabtree snapshot restore', () => {
  it('gives three members one state, at old revisions too, and it goes on from there', async () => {
    await withEnsemble({}, async (test) => {
      await restored(test, [0, 1, 2], writeSnapshot(test, 'a.db'));
      await test.start();
      await expectRestored(test);
      await withClient(test, async (client) => {
        expect((await client.set('a', 'next')).revision).toBe(7);
        expect(await client.get('a')).toMatchObject({ record: { createRevision: 6, modRevision: 7, version: 2 } });
      });
      await test.verify([]);
      // From their own disks, by now as members of an ensemble.
      await test.ensemble.stop();
      await test.start();
      await withClient(test, async (client) => expect(await listAt(client, 6)).toEqual(['a=3', 'b=1', 'c=100000']));
    });
  });

  it('fills a single node, and another one with what zabtree snapshot save saves of it', async () => {
    await withEnsemble({ nodes: 1 }, async (test) => {
      await restored(test, [0], writeSnapshot(test, 'a.db'));
      await test.start();
      await expectRestored(test);
      const saved = join(test.ensemble.directory, 'b.db');
      const { RequestAddr } = test.node(0).addresses;
      const result = await runZabtree(['snapshot', 'save', saved, '--peer', RequestAddr, '-o', 'json']);
      expect(result.code, result.stderr).toBe(0);
      const bytes = readFileSync(saved);
      const sha256 = createHash('sha256').update(bytes.subarray(0, -32)).digest('hex');
      expect(JSON.parse(result.stdout)).toEqual({ file: saved, bytes: bytes.length, sha256 });
      expect(existsSync(`${saved}.part`)).toBe(false);
      const status = await runZabtree(['snapshot', 'status', saved]);
      expect(status).toMatchObject({ code: 0, stderr: '' });
      if (hasEtcdctl) expect(etcdctl(['snapshot', 'status', saved]).stdout).toBe(status.stdout);
      await test.ensemble.stop();
      rmSync(test.node(0).dataDirectory, { recursive: true });
      await restored(test, [0], saved);
      await test.start();
      await expectRestored(test);
    });
  });

  it('forms nothing of members that were restored from different files, and says so', async () => {
    await withEnsemble({}, async (test) => {
      const other = writeSnapshot(test, 'b.db', [putVersion('d', '1', 7)]);
      await restored(test, [0, 1], writeSnapshot(test, 'a.db'));
      await restored(test, [2], other);
      await test.ensemble.start();
      await until('a node says what is wrong', { timeoutMs: patienceMs }, () => {
        const logs = test.ensemble.nodes.map((node) => node.log()).join('');
        return /Forming no ensemble: servers \S+(, \S+)+ were not restored from one snapshot/.test(logs) || undefined;
      });
      expect(await test.stayedLeaderless([0, 1, 2], 1_000)).toBe(true);
      // The way out that the message suggests.
      await test.ensemble.stop();
      rmSync(test.node(2).dataDirectory, { recursive: true });
      await restored(test, [2], join(test.ensemble.directory, 'a.db'));
      await test.start();
      await expectRestored(test);
    });
  });

  it('keeps a restored member out of what blank ones have founded, and fills them where they have only elected', async () => {
    await withEnsemble({}, async (test) => {
      await restored(test, [1], writeSnapshot(test, 'a.db'));
      for (const node of [0, 2]) await test.node(node).start(['--bootstrap']);
      await test.view.anyLeader(patienceMs, [0, 2]);
      const { exited } = await test.node(1).start();
      expect((await exited).code).toBe(1);
      expect(test.node(1).log()).toMatch(
        /this node stops: Cannot join ensemble \w+: its data does not come from a snapshot, .*"zabtree snapshot restore"/,
      );
      // The other members empty, one of them elected before this one is there: what it was restored with is still there.
      for (const node of [0, 2]) {
        await test.node(node).stop();
        rmSync(test.node(node).dataDirectory, { recursive: true });
      }
      const marks = test.logMarks();
      for (const node of [0, 2]) await test.node(node).start();
      await until('a blank node is elected', { timeoutMs: patienceMs }, () => {
        const logs = [0, 2].map((node) => test.node(node).log().slice(marks[node]));
        return logs.some((log) => log.includes('this node is leading')) || undefined;
      });
      await test.node(1).start();
      await test.leader();
      await expectRestored(test);
      await test.verify([]);
    });
  });

  it('does not bring a member back that the ensemble has gone on without: it is filled by the others', async () => {
    await withEnsemble({}, async (test) => {
      const file = writeSnapshot(test, 'a.db');
      await restored(test, [0, 1, 2], file);
      await test.start();
      await test.node(2).stop();
      await withClient(test, async (client) => {
        for (let index = 0; index < 20; index++) await client.set(`later ${index}`, 'x');
      });
      await test.node(2).kill();
      rmSync(test.node(2).dataDirectory, { recursive: true });
      await restored(test, [2], file);
      await test.node(2).start();
      await test.verify([]);
      await withClient(test, async (client) => expect(await listAt(client)).toHaveLength(23));
    });
  });

  it('leaves nothing behind when it fails, and touches no directory that has something in it', async () => {
    await withEnsemble({ nodes: 1 }, async (test) => {
      const file = writeSnapshot(test, 'a.db');
      const damaged = join(test.ensemble.directory, 'damaged.db');
      const bytes = readFileSync(file);
      bytes.writeUInt8(bytes.readUInt8(20_000) ^ 1, 20_000);
      writeFileSync(damaged, bytes);
      const missing = await restore(test, 0, join(test.ensemble.directory, 'missing.db'));
      expect(missing).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/Cannot restore snapshot .*: there is no such file/),
      });
      const failed = await restore(test, 0, damaged);
      expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/its checksum does not match/) });
      const bare = join(test.ensemble.directory, 'bare.db');
      writeFileSync(bare, readFileSync(file).subarray(0, -32));
      const refused = await restore(test, 0, bare);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/it does not end with a checksum/) });
      const small = await restore(test, 0, writeLargeKey(test));
      expect(small).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/has a length of 1000 bytes, the limit is 900/),
      });
      expect((await restore(test, 0, bare, ['--skip-hash-check'])).code).toBe(0);
      const again = await restore(test, 0, file);
      expect(again).toMatchObject({ code: 1, stderr: expect.stringMatching(/it is not empty/) });
      await test.start();
      await expectRestored(test);
    });
  });

  it.skipIf(!hasEtcd || !hasEtcdctl)('takes over what real etcd has saved', async () => {
    const etcd = new RealEtcd();
    try {
      await etcd.start();
      for (let index = 0; index < 30; index++) etcd.run('put', `key ${index % 10}`, `value ${index}`);
      etcd.run('del', 'key 3');
      etcd.run('put', 'large', 'L'.repeat(100_000));
      etcd.run('compact', '15');
      const file = join(etcd.directory, 'etcd.db');
      etcd.run('snapshot', 'save', file);
      expect(createHash('sha256').update(readFileSync(file).subarray(0, -32)).digest()).toEqual(
        readFileSync(file).subarray(-32),
      );
      await withEnsemble({}, async (test) => {
        await restored(test, [0, 1, 2], file);
        await test.start();
        await withClient(test, async (client) => {
          expect(await listAt(client)).toHaveLength(10);
          const before = await client.list({ revision: 20 }).next();
          const lines = etcd.run('get', '', '--from-key', '--rev', '20').split('\n');
          const found = before.value?.records.flatMap(({ key, value }: { key: Uint8Array; value: Uint8Array }) => [
            text(key),
            text(value),
          ]);
          expect([...(found ?? []), '']).toEqual(lines);
          expect(await changesFrom(client, 31, 3)).toEqual(['31 key 9=8', '32 key 3=deleted', '33 large=100000']);
          await expect(listAt(client, 14)).rejects.toThrow(/compacted/);
          expect((await client.set('key 1', 'on')).revision).toBe(34);
        });
      });
    } finally {
      await etcd.remove();
    }
  });
});

function writeLargeKey(test: TestEnsemble): string {
  return writeSnapshot(test, 'large-key.db', [putVersion('k'.repeat(1_000), '1', 7)]);
}
