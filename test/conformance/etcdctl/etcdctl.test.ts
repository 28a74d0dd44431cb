// etcdctl says the same of zabtree as of etcd: every group of its commands, run against three nodes of each, and what it
// prints compared line by line.

import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { withEnsemble } from '../../harness/test-ensemble.js';
import { isInstalled } from '../etcd-process.js';
import { EtcdCluster } from './etcd-cluster.js';
import {
  accessScript,
  alarmScript,
  checkScript,
  compactionScript,
  concurrencyScript,
  endpointScript,
  keyScript,
  leaseScript,
  quotaBytes,
  type Script,
  snapshotScript,
  transactionScript,
  watchScript,
} from './etcdctl-scripts.js';
import { type Cluster, EtcdctlSession } from './etcdctl-session.js';

const timeoutMs = 300_000;
const installed = isInstalled('etcd') && spawnSync('etcdctl', ['version']).status === 0;
if (!installed) process.stderr.write('skipped: etcdctl not installed\n');
const checksPerformance = process.env['CHECK_PERF'] === '1';
if (installed && !checksPerformance) process.stderr.write('skipped: check perf takes a minute; CHECK_PERF=1 runs it\n');

async function transcriptOf(cluster: Cluster, script: Script): Promise<readonly string[]> {
  const session = new EtcdctlSession(cluster);
  try {
    await script(session);
  } finally {
    session.close();
  }
  return session.transcript;
}

async function onEtcd(script: Script): Promise<readonly string[]> {
  const etcd = await EtcdCluster.start(['--quota-backend-bytes', String(quotaBytes)]);
  try {
    return await transcriptOf(etcd, script);
  } finally {
    await etcd.close();
  }
}

async function onZabtree(script: Script): Promise<readonly string[]> {
  let transcript: readonly string[] = [];
  await withEnsemble({ settings: { Limits: { QuotaBytes: quotaBytes } } }, async (test) => {
    await test.start();
    const { requestAddresses: endpoints, directory } = test.ensemble;
    transcript = await transcriptOf({ endpoints, directory }, script);
  });
  return transcript;
}

/** CONFORMANCE_SUBJECT=etcd compares etcd with itself: the scripts have to be such that it never differs. */
const subject = process.env['CONFORMANCE_SUBJECT'] === 'etcd' ? onEtcd : onZabtree;

const groups = {
  'put get del': keyScript,
  txn: transactionScript,
  watch: watchScript,
  lease: leaseScript,
  compaction: compactionScript,
  'auth user role': accessScript,
  'endpoint member defrag': endpointScript,
  alarm: alarmScript,
  snapshot: snapshotScript,
  'lock elect': concurrencyScript,
} satisfies Readonly<Record<string, Script>>;

describe.skipIf(!installed)('etcdctl', () => {
  it.each(Object.entries(groups))(
    '%s: prints the same',
    async (_, script) => {
      const [expected, found] = await Promise.all([onEtcd(script), subject(script)]);
      expect(expected.length).toBeGreaterThan(5);
      expect(found).toEqual(expected);
    },
    timeoutMs,
  );

  it.runIf(checksPerformance)(
    'check perf: comes to its end and says what it measured',
    async () => {
      const [expected, found] = await Promise.all([onEtcd(checkScript), subject(checkScript)]);
      // The last line is whether the machine passed.
      expect(expected.slice(0, -1)).toHaveLength(4);
      expect(found.slice(0, -1)).toEqual(expected.slice(0, -1));
    },
    timeoutMs,
  );
});
