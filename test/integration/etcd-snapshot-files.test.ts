// Snapshot files exchanged with real etcd: what is written here is read by its tools and starts its server; what its server
// saves is read here.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { limits } from '../../src/config/limits.js';
import type { SnapshotVersion } from '../../src/etcd-snapshot/snapshot-content.js';
import { PasswordHashing } from '../../src/service/password-hashing.js';
import type { Revision } from '../../src/shared/ids.js';
import { Secret } from '../../src/shared/secret.js';
import { etcdctl, hasEtcd, hasEtcdctl, RealEtcd } from '../harness/real-etcd.js';
import { runZabtree } from '../harness/run-zabtree.js';
import {
  contentOf,
  deletedVersion,
  emptyContent,
  putVersion,
  readAll,
  snapshotFile,
} from '../support/snapshot-files.js';

if (!hasEtcdctl) process.stderr.write('skipped: etcdctl not installed\n');
if (!hasEtcd) process.stderr.write('skipped: etcd not installed\n');

let etcd: RealEtcd | undefined;

afterEach(async () => {
  await etcd?.remove();
  etcd = undefined;
});

function fresh(): RealEtcd {
  etcd = new RealEtcd();
  return etcd;
}

/** Revisions 2 to 5001 of 1,000 keys, a revision of several changes, and one with a large value. */
const versions: readonly SnapshotVersion[] = [
  ...Array.from({ length: 5_000 }, (_, index) => {
    const version = Math.floor(index / 1_000) + 1;
    const createRevision = (index % 1_000) + 2;
    return putVersion(`key ${index % 1_000}`, `value ${index}`, index + 2, { createRevision, version });
  }),
  deletedVersion('key 0', 5_002),
  deletedVersion('key 1', 5_002),
  putVersion('leased', 'x', 5_002, { lease: 77n }),
  putVersion('large', 'L'.repeat(1_400_000), 5_003),
];
const leases = [{ id: 77n, ttlSeconds: 5_000, remainingSeconds: 0 }];

interface EtcdStatus {
  readonly revision: number;
  readonly totalKey: number;
  readonly totalSize: number;
}

describe.skipIf(!hasEtcdctl)('etcdctl', () => {
  it('snapshot status reads revision, keys and size of what is written here', () => {
    const file = join(fresh().directory, 'written.db');
    const bytes = snapshotFile(contentOf({ ...emptyContent, versions, leases }));
    writeFileSync(file, bytes);
    const { code, stdout, stderr } = etcdctl(['snapshot', 'status', file, '-w', 'json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const status = JSON.parse(stdout) as EtcdStatus;
    // etcd counts the rows of all buckets: beside versions and lease authEnabled, authRevision, clusterVersion, and
    // confState, consistent_index and term.
    expect(status).toMatchObject({
      revision: 5_003,
      totalKey: versions.length + leases.length + 6,
      totalSize: bytes.length - 32,
    });
    expect(etcdctl(['snapshot', 'status', file, '-w', 'table']).stdout).toMatch(/\|\s+5003 \|/);
  });

  it('snapshot status says what zabtree snapshot status says, which refuses damaged files', async () => {
    const file = join(fresh().directory, 'written.db');
    const bytes = snapshotFile(contentOf({ ...emptyContent, versions, leases }));
    writeFileSync(file, bytes);
    const told = etcdctl(['snapshot', 'status', file]).stdout;
    expect(await runZabtree(['snapshot', 'status', file])).toMatchObject({ code: 0, stdout: told, stderr: '' });
    const { stdout } = await runZabtree(['snapshot', 'status', file, '-o', 'json']);
    expect(JSON.parse(stdout)).toEqual(JSON.parse(etcdctl(['snapshot', 'status', file, '-w', 'json']).stdout));
    const damaged = Buffer.from(bytes);
    damaged.writeUInt8(damaged.readUInt8(200_000) ^ 1, 200_000);
    for (const [content, reason] of [
      [damaged, 'its checksum does not match: it is damaged'],
      [bytes.subarray(0, bytes.length - 10), 'is that of no snapshot: it was cut off'],
      [bytes.subarray(0, bytes.length - 4_096), 'pages of 4096'],
    ] as const) {
      writeFileSync(file, content);
      const refused = await runZabtree(['snapshot', 'status', file]);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toContain(`Cannot read snapshot "${file}": `);
      expect(refused.stderr).toContain(reason);
    }
  });

  it('snapshot restore refuses it with one byte changed', () => {
    const { directory } = fresh();
    const bytes = snapshotFile(contentOf({ ...emptyContent, versions, leases }));
    bytes.writeUInt8(bytes.readUInt8(40_000) ^ 1, 40_000);
    const file = join(directory, 'changed.db');
    writeFileSync(file, bytes);
    const { code, stderr } = etcdctl(['snapshot', 'restore', file, '--data-dir', join(directory, 'restored')]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/expected sha256/);
  });
});

describe.skipIf(!hasEtcd || !hasEtcdctl)('real etcd', () => {
  it('starts from what is written here, and answers gets and watches at old revisions', async () => {
    const server = fresh();
    const file = join(server.directory, 'written.db');
    const facts = { ...emptyContent.facts, compactedRevision: 1_500 as Revision };
    const kept = versions.filter(({ modRevision }) => modRevision > 501);
    writeFileSync(file, snapshotFile(contentOf({ ...emptyContent, facts, versions: kept, leases })));
    const restored = etcdctl(['snapshot', 'restore', file, '--data-dir', server.dataDir]);
    expect(restored.code, restored.stderr).toBe(0);
    await server.start();

    expect(JSON.parse(server.run('get', 'key 5', '-w', 'json'))).toMatchObject({
      header: { revision: 5_003 },
      kvs: [{ create_revision: 7, mod_revision: 4_007, version: 5 }],
    });
    expect(server.run('get', 'key 5', '--rev', '1600', '--print-value-only')).toBe('value 1005\n');
    expect(server.run('get', 'key 0', '--rev', '5001', '--print-value-only')).toBe('value 4000\n');
    expect(server.run('get', 'key 0')).toBe('');
    expect(server.run('get', 'large', '--print-value-only')).toHaveLength(1_400_001);
    expect(server.ctl(['get', 'key 5', '--rev', '1499']).stderr).toMatch(/required revision has been compacted/);
    expect(server.run('lease', 'timetolive', '4d', '--keys')).toMatch(
      /granted with TTL\(5000s\).*attached keys\(\[leased\]\)/,
    );
    expect(await server.watchLines(['key 1', '--rev', '4003'], 6)).toEqual([
      'PUT',
      'key 1',
      'value 4001',
      'DELETE',
      'key 1',
      '',
    ]);

    server.run('put', 'key 5', 'goes on');
    expect(JSON.parse(server.run('get', 'key 5', '-w', 'json'))).toMatchObject({
      kvs: [{ create_revision: 7, mod_revision: 5_004, version: 6 }],
    });
    server.run('compact', '5003');
    server.run('defrag');
    expect(server.run('get', 'key 999', '--print-value-only')).toBe('value 4999\n');
  });

  it('saves snapshots whose revisions, leases, users and roles are read here, and whose passwords are verified', async () => {
    const server = fresh();
    await server.start();
    for (let index = 0; index < 40; index++) server.run('put', `key ${index % 7}`, 'v'.repeat(index * 300));
    server.run('del', 'key 0', 'key 3');
    server.run('compact', '20');
    const lease = /lease ([0-9a-f]+) granted/.exec(server.run('lease', 'grant', '4000'))?.[1] ?? '';
    server.run('put', 'leased', 'x', '--lease', lease);
    server.run('user', 'add', 'alice:secret');
    server.run('role', 'add', 'ops');
    server.run('role', 'grant-permission', 'ops', 'readwrite', 'a', 'b');
    server.run('user', 'grant-role', 'alice', 'ops');
    const file = join(server.directory, 'saved.db');
    server.run('snapshot', 'save', file);

    const found = readAll(readFileSync(file));
    expect(found.facts).toMatchObject({ compactedRevision: 20, accessEnabled: false });
    expect(found.leases).toEqual([{ id: BigInt(`0x${lease}`), ttlSeconds: 4_000, remainingSeconds: 0 }]);
    expect(found.roles).toMatchObject([{ name: 'ops', permissions: [{ type: 'readwrite' }] }]);
    expect(found.users).toMatchObject([{ name: 'alice', roles: ['ops'], noPassword: false }]);
    const matches = await new Promise((resolve) => {
      const hash = new Secret(found.users[0]?.passwordHash ?? new Uint8Array(0));
      new PasswordHashing(limits).verify('secret', hash, (error, same) => resolve(error ?? same));
    });
    expect(matches).toBe(true);
    const at42 = found.versions.filter(({ modRevision }) => modRevision === 42);
    expect(at42.map(({ key, record }) => [Buffer.from(key).toString(), record])).toEqual([
      ['key 0', null],
      ['key 1', null],
      ['key 2', null],
    ]);
    expect(found.versions.at(-1)).toMatchObject({
      modRevision: 43,
      record: { version: 1, lease: BigInt(`0x${lease}`) },
    });
    const newest = found.versions.find(({ modRevision }) => modRevision === 41);
    expect(newest?.record?.value).toHaveLength(39 * 300);
  });
});
